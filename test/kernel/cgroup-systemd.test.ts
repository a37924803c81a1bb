// The systemd cgroup driver: every command on a container that is a unit, where its group is, and what is refused; its
// properties beside runc's are in cgroup-systemd-contract.test.ts. Runs in the machines of test/vm that have systemd. Needs root.

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { runc } from "../cli/executable.ts";
import { runBriefly, until } from "../support/room.ts";
import {
  groupOf,
  hasSystemd,
  openDrivenRoom,
  readOf,
  show,
  unitsLeft,
  cgroupVersion as version,
} from "../support/systemd.ts";

const test = suite("kernel/cgroup-systemd");
const check = hasSystemd ? test : test.skip;
const driver = "--systemd-cgroup";
const mib = 1 << 20;

const { room, run, makeBundle } = openDrivenRoom("cgroup-systemd");

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
    const refused = room.tsRunc(["update", "--pids-limit", "80", "--cpuset-cpus", "5000", id]);
    assert.is(refused.status, 1);
    assert.is(show(unit).get("TasksMax"), "70");
    assert.is(show(unit).get("AllowedCPUs") ?? "", "");
    assert.is(readOf(`${groupOf("pids", `/system.slice/${unit}`)}/pids.max`), "70\n");
    plain("kill", id, "KILL");
  },
);

check("the end of a container in the foreground takes its unit away, as delete does", () => {
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

check("init is in the unit's group of every controller, whatever is set later", () => {
  for (const devices of [[], [{ allow: false, access: "rwm" }]]) {
    const id = room.newId();
    const resources: LinuxResources = { devices, pids: { limit: 40 }, cpu: { shares: 512 } };
    run("ts-runc", "run", "--detach", "--bundle", makeBundle({ resources }), id);
    const groups = (): string => readFileSync(`/proc/${room.state(id)?.pid}/cgroup`, "utf8").trim();
    const expectInside = (when: string): void => {
      for (const line of groups().split("\n"))
        assert.ok(line.endsWith(`/runc-${id}.scope`), `${when}: ${line}`);
    };
    expectInside("running");
    run("ts-runc", "update", "--pids-limit", "50", "--memory", `${48 * mib}`, id);
    expectInside("updated");
    assert.is(runBriefly(["systemctl", "daemon-reload"]).status, 0);
    expectInside("read anew");
    run("ts-runc", "delete", "--force", id);
  }
});

check("a denied device stays denied while resources change and units are read anew", async () => {
  const id = room.newId();
  const node = { path: "/dev/loop-control", type: "c", major: 10, minor: 237 };
  // A device that may be opened is let in or is not there: only who may not hears EPERM.
  const script = `
    while :; do
      said=$( (: < /dev/loop-control) 2>&1 )
      case "$said" in *'not permitted'*) ;; *) echo "said: $said" >>/tmp/seen ;; esac
      echo >>/tmp/tries
    done`;
  const { directory, rootfs } = room.makeBundle({
    process: { args: ["sh", "-c", script] },
    linux: { resources: { devices: [{ allow: false, access: "rwm" }] }, devices: [node] },
  });
  run("ts-runc", "run", "--detach", "--bundle", directory, id);
  const tries = join(rootfs, "tmp/tries");
  await until(() => existsSync(tries));
  for (const limit of [51, 52, 53]) {
    run("ts-runc", "update", "--pids-limit", `${limit}`, "--memory", `${limit * mib}`, id);
    assert.is(runBriefly(["systemctl", "daemon-reload"]).status, 0);
  }
  const before = statSync(tries).size;
  await until(() => statSync(tries).size > before + 2);
  assert.is(readOf(join(rootfs, "tmp/seen")), "ENOENT", "it was let in");
  run("ts-runc", "delete", "--force", id);
});

check(
  "a unit that has failed and was left does not keep a container from having its name",
  async () => {
    const id = room.newId();
    const unit = `runc-${id}.scope`;
    const fail = ["-p", "RuntimeMaxSec=1", "sleep", "60"];
    runBriefly(["systemd-run", "--scope", "--quiet", "--unit", unit, ...fail]);
    await until(() => show(unit).get("ActiveState") === "failed");
    assert.is(show(unit).get("ActiveState"), "failed");
    run("ts-runc", "run", "--detach", "--bundle", makeBundle({}), id);
    assert.is(show(unit).get("ActiveState"), "active");
    run("ts-runc", "delete", "--force", id);
  },
);

check("a name that ends in .slice is a slice, without systemd moving anything into it", () => {
  const id = room.newId();
  const slice = `${id.replaceAll("-", "")}.slice`;
  const cgroupsPath = `-.slice:unused:${slice}`;
  run("ts-runc", "run", "--detach", "--bundle", makeBundle({ cgroupsPath }), id);
  assert.is(show(slice).get("ActiveState"), "active");
  assert.is(show(slice).get("Wants"), "-.slice");
  assert.match(run("ts-runc", "exec", id, "cat", "/proc/self/cgroup"), `/${slice}\n`);
  run("ts-runc", "delete", "--force", id);
  assert.not(existsSync(groupOf("pids", `/${slice}`)));
});

check("a second container in the same unit is refused, and the first one lives on", () => {
  const [first, second] = [room.newId(), room.newId()];
  const bundle = makeBundle({ cgroupsPath: `system.slice:same:${first}` });
  run("ts-runc", "run", "--detach", "--bundle", bundle, first);
  const { status, stderr } = room.tsRunc([driver, "run", "--bundle", bundle, second]);
  assert.is(status, 1);
  assert.match(stderr, "container's cgroup is not empty");
  assert.is(room.state(first)?.status, "running");
  assert.is(show(`same-${first}.scope`).get("ActiveState"), "active");
  run("ts-runc", "delete", "--force", first);
});

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

check("the group manager can be named, and can be nobody", () => {
  const id = room.newId();
  const named = ["--cgroup-manager", "systemd", "run", "--detach", "--bundle", makeBundle({}), id];
  assert.is(room.tsRunc(named).status, 0);
  assert.is(show(`runc-${id}.scope`).get("ActiveState"), "active");
  run("ts-runc", "delete", "--force", id);
});

check("nothing is left", async () => {
  for (const { id } of JSON.parse(room.tsRunc(["list", "--format", "json"]).stdout || "[]") ?? []) {
    room.tsRunc(["delete", "--force", id]);
  }
  assert.is(unitsLeft(), "");
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
