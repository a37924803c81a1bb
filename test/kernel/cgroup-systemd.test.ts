// The systemd cgroup driver beside runc's: the unit's properties, the group's files, and every command on such a container.
// Runs in the machines of test/vm that have systemd. Needs root.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { runc } from "../cli/executable.ts";
import { openRoom, type RuntimeName, runBriefly, until } from "../support/room.ts";

const test = suite("kernel/cgroup-systemd");
const kind = process.env["TS_RUNC_MACHINE"] ?? "";
const hasSystemd = kind.startsWith("systemd");
if (!hasSystemd) console.log("skip: no systemd here");
const check = hasSystemd ? test : test.skip;
const besideRunc = hasSystemd && runc !== undefined ? test : test.skip;
const room = openRoom("cgroup-systemd");
const mib = 1 << 20;
const version = kind === "systemd" ? "v2" : "v1";
const driver = "--systemd-cgroup";

/** A group of v1 in which the driver writes the limits, and the one of v2. */
const groupOf = (controller: string, inner: string): string =>
  version === "v2" ? `/sys/fs/cgroup${inner}` : `/sys/fs/cgroup/${controller}${inner}`;

function run(of: RuntimeName, ...argv: readonly string[]): string {
  const { status, stdout, stderr } = room.runtime(of, [driver, ...argv]);
  assert.is(status, 0, `${of} ${argv.join(" ")}: ${stderr}`);
  return stdout;
}

/** The properties of a unit; the lines of a list are one text. */
function show(unit: string): ReadonlyMap<string, string> {
  const shown = new Map<string, string>();
  for (const line of runBriefly(["systemctl", "show", unit]).stdout.trim().split("\n")) {
    const at = line.indexOf("=");
    const key = line.slice(0, at);
    const former = shown.get(key);
    const value = line.slice(at + 1);
    shown.set(key, former === undefined ? value : `${former}; ${value}`);
  }
  return shown;
}

/** Units of the room's containers that systemd still knows, failed ones among them. */
function unitsLeft(): string {
  return runBriefly(["systemctl", "list-units", "--all", "--no-legend", "*ts-runc-test*"]).stdout;
}

function makeBundle(change: {
  readonly resources?: LinuxResources;
  readonly cgroupsPath?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}): string {
  const { resources, cgroupsPath, annotations } = change;
  return room.makeBundle({
    process: { args: ["sleep", "600"] },
    ...(annotations === undefined ? {} : { annotations }),
    linux: {
      ...(resources === undefined ? {} : { resources }),
      ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
    },
  }).directory;
}

/** What tells time, counts, or names one unit. */
const passing =
  /Timestamp|^(Id|Names|Description|InvocationID|ControlGroup|ControlGroupId|MemoryCurrent|MemoryAvailable|MemoryPeak|CPUUsageNSec|TasksCurrent|Job|IORead|IOWrite|IP|RequiresMountsFor|EffectiveCPUs|EffectiveMemoryNodes|MemorySwap(Current|Peak))/;
const counters =
  /usage|stat$|\.current$|\.peak$|failcnt|events|procs$|tasks$|threads$|numa_stat|pressure$|io_service|io_merged|io_queued|io_wait|sectors|cpuacct|event_control|force_empty|time|reset$/;

function filesOf(group: string): Readonly<Record<string, string>> {
  const files = readdirSync(group, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !counters.test(entry.name))
    .map(({ name }) => name)
    .sort();
  return Object.fromEntries(files.map((name) => [name, readOf(join(group, name))]));
}

function readOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return `${error instanceof Error && "code" in error ? error.code : error}`;
  }
}

const controllers = version === "v2" ? [""] : ["cpu", "cpuset", "memory", "pids", "devices"];

const cases: Readonly<Record<string, LinuxResources>> = {
  "no resources": {},
  memory: { memory: { limit: 64 * mib, reservation: 32 * mib, swap: 96 * mib } },
  "a quota that is not a whole step": { cpu: { quota: 33_333, period: 100_000 } },
  "a quota and a period": { cpu: { quota: 20_000, period: 50_000 } },
  processes: { pids: { limit: 33 } },
  "processes without a limit": { pids: { limit: -1 } },
  "processors and nodes": { cpu: { cpus: "0", mems: "0" } },
  devices: {
    devices: [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
      { allow: true, type: "c", major: 4, access: "rwm" },
    ],
  },
};

besideRunc("the unit's properties and the group's files are those of runc's driver", () => {
  for (const [name, resources] of Object.entries(cases)) {
    const [one, other] = (["ts-runc", "runc"] as const).map((of) => {
      const id = room.newId();
      run(of, "run", "--detach", "--bundle", makeBundle({ resources }), id);
      const unit = `runc-${id}.scope`;
      const properties = [...show(unit)]
        .filter(([key]) => !passing.test(key))
        .map(([key, value]) => [key, value.replaceAll(id, "ID")] as const);
      const files = controllers.map((controller) =>
        filesOf(groupOf(controller, `/system.slice/${unit}`)),
      );
      run(of, "delete", "--force", id);
      assert.is(show(unit).get("LoadState"), "not-found", `${of} leaves ${unit}`);
      return { properties: Object.fromEntries(properties), files };
    });
    assert.equal(one?.properties, other?.properties, name);
    assert.equal(one?.files, other?.files, name);
  }
});

check("slice:prefix:name says where the unit is, and state.json where the group is", () => {
  const id = room.newId();
  const cgroupsPath = `ts-runc-deep.slice:box:${id}`;
  run("ts-runc", "create", "--bundle", makeBundle({ cgroupsPath }), id);
  const unit = `box-${id}.scope`;
  const shown = show(unit);
  const inner = `/ts.slice/ts-runc.slice/ts-runc-deep.slice/${unit}`;
  assert.is(shown.get("ControlGroup"), inner);
  assert.is(shown.get("Delegate"), "yes");
  assert.is(shown.get("Description"), `libcontainer container ${id}`);
  const record = JSON.parse(readFileSync(join(room.directory, "state", id, "state.json"), "utf8"));
  const paths: Readonly<Record<string, string>> = record.cgroup_paths;
  for (const path of Object.values(paths))
    assert.ok(path.endsWith(inner) && existsSync(path), path);
  run("ts-runc", "delete", "--force", id);
  assert.not(Object.values(paths).some((path) => existsSync(path)));
});

check(
  "exec, ps, events, pause, resume, kill and update work, without being told of systemd",
  () => {
    const id = room.newId();
    const resources = { memory: { limit: 64 * mib }, pids: { limit: 50 } };
    run("ts-runc", "run", "--detach", "--bundle", makeBundle({ resources }), id);
    const plain = (...argv: readonly string[]): string => {
      const { status, stdout, stderr } = room.tsRunc(argv);
      assert.is(status, 0, `${argv.join(" ")}: ${stderr}`);
      return stdout;
    };
    const unit = `runc-${id}.scope`;
    assert.match(plain("exec", id, "cat", "/proc/self/cgroup"), unit);
    assert.match(plain("ps", id), "sleep");
    assert.is(JSON.parse(plain("events", "--stats", id)).data.pids.limit, 50);
    plain("pause", id);
    assert.is(room.state(id)?.status, "paused");
    plain("resume", id);
    plain("update", "--pids-limit", "70", "--memory", `${48 * mib}`, id);
    const shown = show(unit);
    assert.is(shown.get("TasksMax"), "70");
    assert.is(shown.get(version === "v2" ? "MemoryMax" : "MemoryLimit"), `${48 * mib}`);
    assert.is(readOf(`${groupOf("pids", `/system.slice/${unit}`)}/pids.max`), "70\n");
    plain("kill", id, "KILL");
  },
);

check("the end of a container in the foreground takes its unit away, as delete does", async () => {
  await until(() => !unitsLeft().includes("running"));
  const bundle = room.makeBundle({ process: { args: ["sh", "-c", "exit 3"] } }).directory;
  const id = room.newId();
  const { status } = room.tsRunc([driver, "run", "--bundle", bundle, id]);
  assert.is(status, 3);
  assert.is(show(`runc-${id}.scope`).get("LoadState"), "not-found");
});

check("limits and device rules are as before after systemd has read its units anew", () => {
  const id = room.newId();
  const resources: LinuxResources = {
    pids: { limit: 44 },
    devices: [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
    ],
  };
  const nodes = [
    { path: "/dev/fuse", type: "c", major: 10, minor: 229 },
    { path: "/dev/loop-control", type: "c", major: 10, minor: 237 },
  ];
  const { directory: bundle } = room.makeBundle({
    process: { args: ["sleep", "600"] },
    linux: { resources, devices: nodes },
  });
  run("ts-runc", "run", "--detach", "--bundle", bundle, id);
  const tries = (): string =>
    run("ts-runc", "exec", id, "sh", "-c", tryDevices).replaceAll(/\s+/g, " ").trim();
  const before = tries();
  assert.is(before, "null yes fuse yes loop-control no");
  assert.is(runBriefly(["systemctl", "daemon-reload"]).status, 0);
  assert.is(tries(), before);
  const group = groupOf("pids", `/system.slice/runc-${id}.scope`);
  assert.is(readOf(`${group}/pids.max`), "44\n");
  run("ts-runc", "delete", "--force", id);
});

/** A device that may not be opened fails with EPERM, before anybody asks whether it is there. */
const tryDevices = `
for at in null fuse loop-control; do
  if (: < /dev/$at) 2>&1 | grep -q 'not permitted'; then echo $at no; else echo $at yes; fi
done`;

check("annotations set properties of the unit", () => {
  const id = room.newId();
  const annotations = {
    "org.systemd.property.TimeoutStopSec": "uint64 12",
    "org.systemd.property.CollectMode": "'inactive-or-failed'",
  };
  run("ts-runc", "run", "--detach", "--bundle", makeBundle({ annotations }), id);
  const shown = show(`runc-${id}.scope`);
  assert.is(shown.get("TimeoutStopUSec"), "12s");
  assert.is(shown.get("CollectMode"), "inactive-or-failed");
  run("ts-runc", "delete", "--force", id);
});

check("what cannot be meant is refused in runc's words, and nothing is left", () => {
  for (const of of ["ts-runc", "runc"] as const) {
    if (of === "runc" && runc === undefined) continue;
    const bundle = makeBundle({ cgroupsPath: "/not/for/systemd" });
    const id = room.newId();
    const { status, stderr } = room.runtime(of, [driver, "create", "--bundle", bundle, id]);
    assert.is(status, 1);
    assert.match(stderr, 'expected cgroupsPath to be of format \\"slice:prefix:name\\"', of);
  }
  const bad = makeBundle({ annotations: { "org.systemd.property.NoSuchThing": "true" } });
  const id = room.newId();
  const { status, stderr } = room.tsRunc([driver, "create", "--bundle", bad, id]);
  assert.is(status, 1, stderr);
  assert.match(stderr, "NoSuchThing");
});

check("fifty containers one after the other leave no unit and no group", () => {
  const bundle = room.makeBundle({ process: { args: ["true"] } }).directory;
  for (let count = 0; count < 50; count += 1) {
    run("ts-runc", "run", "--bundle", bundle, room.newId());
  }
});

check("the group manager can be named, and can be nobody", () => {
  const id = room.newId();
  const named = ["--cgroup-manager", "systemd", "run", "--detach", "--bundle", makeBundle({}), id];
  assert.is(room.tsRunc(named).status, 0);
  assert.is(show(`runc-${id}.scope`).get("ActiveState"), "active");
  run("ts-runc", "delete", "--force", id);
});

test("nothing is left", async () => {
  for (const { id } of JSON.parse(room.tsRunc(["list", "--format", "json"]).stdout || "[]") ?? []) {
    room.tsRunc(["delete", "--force", id]);
  }
  if (hasSystemd) assert.is(unitsLeft(), "");
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
