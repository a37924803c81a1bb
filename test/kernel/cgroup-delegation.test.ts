// Groups that crun's annotations ask for: the container's own below its unit, and one that it manages by itself, in every mode, beside
// crun where there is one. Needs root.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { hasCrun, runCrun } from "../support/crun.ts";
import { openRoom, type Room, runBriefly, until } from "../support/room.ts";
import { hasSystemd, readOf, show } from "../support/systemd.ts";

const test = suite("kernel/cgroup-delegation");
const room = openRoom("delegation");
const isV2 = readCgroupHost().version === "v2";
if (!isV2) console.log("skip: what is delegated: cgroup v1 has no safe delegation");
if (!hasSystemd) console.log("skip: groups below units: no systemd here");
const onV2 = isV2 ? test : test.skip;
const withSystemd = hasSystemd ? test : test.skip;
const systemd = "--systemd-cgroup";
/** The options that say who makes groups here. */
const drivers: readonly (readonly string[])[] = hasSystemd ? [[], [systemd]] : [[]];

const subgroup = "run.oci.systemd.subgroup";
const delegate = "run.oci.delegate-cgroup";
type Annotations = Readonly<Record<string, string>>;
type Change = NonNullable<Parameters<Room["makeBundle"]>[0]>;

const resources: LinuxResources = { pids: { limit: 44 }, memory: { limit: 64 << 20 } };
const namespaces = ["pid", "mount", "cgroup"].map((type) => ({ type }));
const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs" },
  { destination: "/sys", type: "cgroup", source: "cgroup", options: ["rw"] },
];

/** A container that sleeps, sees its groups at /sys, and may write there. */
function makeSleeper(annotations: Annotations, linux: Change["linux"] = {}): string {
  return room.makeBundle({
    process: { args: ["sleep", "600"] },
    annotations,
    mounts,
    linux: { namespaces, resources, ...linux },
  }).directory;
}

function done(argv: readonly string[]): string {
  const { status, stdout, stderr } = room.tsRunc(argv);
  assert.is(status, 0, `${argv.join(" ")}: ${stderr}`);
  return stdout.trim();
}

function start(driver: readonly string[], bundle: string): string {
  const id = room.newId();
  done([...driver, "run", "--detach", "--bundle", bundle, id]);
  return id;
}

/** The group of a process in the v2 tree, or in the one of v1 that counts processes. */
function groupOf(pid: number | undefined): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  const tree = isV2 ? /^0::(.*)/ : /^\d+:pids:(.*)/;
  const found = lines.map((line) => tree.exec(line)?.[1]).find((path) => path !== undefined);
  return `/sys/fs/cgroup${isV2 ? "" : "/pids"}${found}`;
}

function pathsOf(id: string): Readonly<Record<string, string>> {
  const text = readFileSync(join(room.directory, "state", id, "state.json"), "utf8");
  return JSON.parse(text).cgroup_paths;
}

const inner = (id: string, ...argv: readonly string[]): string => done(["exec", id, ...argv]);
const script = (id: string, text: string): string => inner(id, "sh", "-ec", text);

function refusal(driver: readonly string[], bundle: string): string {
  const id = room.newId();
  const { status, stderr } = room.tsRunc([...driver, "run", "--bundle", bundle, id]);
  assert.is(status, 1, stderr);
  assert.is(room.state(id), undefined);
  return stderr.trim();
}

test("a name that cannot be a group's is refused with annotation and value", () => {
  for (const annotation of [subgroup, delegate]) {
    for (const value of ["..", "/a", "a/b", "a\nb", "cgroup.procs", "x".repeat(256)]) {
      const said = refusal([systemd], makeSleeper({ [annotation]: value }));
      const shown = value.slice(0, 50).replace("\n", "\\\\n");
      for (const part of [`/annotations/${annotation}`, "must be the name of one cgroup", shown]) {
        assert.ok(said.includes(part), `${part}: ${said}`);
      }
    }
  }
});

test("what cannot be had is refused with annotation, value and reason", () => {
  const below = refusal([], makeSleeper({ [subgroup]: "sub" }));
  assert.match(below, `${subgroup}=sub: there is no unit of systemd without --systemd-cgroup`);
  const disabled = ["--cgroup-manager", "disabled"];
  const without = { [delegate]: "mine" };
  assert.match(refusal(disabled, makeSleeper(without)), `${delegate}=mine: --cgroup-manager disab`);
  if (isV2) return;
  for (const driver of drivers) {
    const said = refusal(driver, makeSleeper(without));
    assert.match(said, `${delegate}=mine: delegate-cgroup not supported on cgroup v1`);
  }
});

test("empty names ask for no group", () => {
  for (const driver of drivers) {
    const id = start(driver, makeSleeper({ [subgroup]: "", [delegate]: "" }));
    const ends = driver.length === 0 ? id : `runc-${id}.scope`;
    assert.ok(groupOf(room.state(id)?.pid).endsWith(`/${ends}`));
    done(["delete", "--force", id]);
  }
});

onV2("init is in a group of its own making, below the one that has the limits", async () => {
  for (const driver of drivers) {
    const id = start(driver, makeSleeper({ [delegate]: "mine" }));
    const own = pathsOf(id)[""] ?? "";
    assert.ok(own.endsWith(driver.length === 0 ? `/${id}` : `/runc-${id}.scope`), own);
    assert.is(groupOf(room.state(id)?.pid), `${own}/mine`);
    assert.is(readOf(`${own}/pids.max`), "44\n");
    assert.is(readOf(`${own}/memory.max`), `${64 << 20}\n`);
    assert.is(readOf(`${own}/mine/pids.max`), "max\n");
    assert.is(readOf(`${own}/mine/cgroup.controllers`), readOf(`${own}/cgroup.controllers`));
    // The root of its cgroup namespace is the group above.
    assert.is(inner(id, "cat", "/proc/self/cgroup", "/sys/pids.max"), "0::/mine\n44");
    expectLife(id, own);
    // What it makes of its group is its own business, and exec goes where init has gone.
    script(id, "mkdir /sys/mine/a; echo 1 >/sys/mine/a/cgroup.procs");
    assert.is(inner(id, "cat", "/proc/self/cgroup"), "0::/mine/a");
    script(id, "echo 0 >/sys/mine/a/cgroup.procs; echo +pids >/sys/mine/cgroup.subtree_control");
    assert.is(script(id, "cat /proc/self/cgroup /sys/mine/a/pids.max"), "0::/mine/a\nmax");
    script(id, "mkdir /sys/other; echo 1 >/sys/other/cgroup.procs");
    assert.is(inner(id, "cat", "/proc/self/cgroup"), "0::/other");
    done(["delete", "--force", id]);
    assert.not(existsSync(own));
  }
});

/** What acts upon a container acts upon its own group, and all below. */
function expectLife(id: string, own: string): void {
  const pid = `${room.state(id)?.pid}`;
  assert.equal(JSON.parse(done(["ps", "--format", "json", id])).map(String), [pid]);
  assert.is(JSON.parse(done(["events", "--stats", id])).data.pids.limit, 44);
  done(["pause", id]);
  assert.is(readOf(`${own}/cgroup.freeze`), "1\n");
  assert.is(room.state(id)?.status, "paused");
  done(["resume", id]);
  done(["update", "--pids-limit", "55", id]);
  assert.is(readOf(`${own}/pids.max`), "55\n");
  done(["update", "--pids-limit", "44", id]);
}

onV2("hooks of the container's are where init is, and exec is where it is asked to be", () => {
  const see = "cat /proc/self/cgroup >/tmp/seen";
  const hook = { path: "/bin/sh", args: ["sh", "-c", see], env: ["PATH=/bin"] };
  const { directory, rootfs } = room.makeBundle({
    process: { args: ["sleep", "600"] },
    annotations: { [delegate]: "mine" },
    hooks: { startContainer: [hook] },
    mounts,
    linux: { namespaces },
  });
  const id = start([], directory);
  assert.is(readOf(join(rootfs, "tmp/seen")), "0::/mine\n");
  script(id, "mkdir /sys/other");
  assert.is(done(["exec", "--cgroup", "other", id, "cat", "/proc/self/cgroup"]), "0::/other");
  // The group above hands its controllers on, and takes no process.
  assert.is(room.tsRunc(["exec", "--cgroup", "/", id, "true"]).status, 255);
  done(["delete", "--force", id]);
});

onV2("what it is given is its user's, and nothing else is", () => {
  const map = [{ containerID: 0, hostID: 100_000, size: 1000 }];
  const linux = { uidMappings: map, gidMappings: map };
  const inUser = { ...linux, namespaces: [...namespaces, { type: "user" }] };
  for (const driver of drivers) {
    const id = start(driver, makeSleeper({ [delegate]: "mine" }, inUser));
    const own = pathsOf(id)[""] ?? "";
    const mine = `${own}/mine`;
    assert.is(groupOf(room.state(id)?.pid), mine);
    const given = readdirSync(mine).filter((name) => statSync(`${mine}/${name}`).uid !== 0);
    for (const name of ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]) {
      assert.ok(given.includes(name), `${name}: ${given.join(" ")}`);
    }
    assert.is(statSync(mine).uid, 100_000);
    assert.not(given.some((name) => name.endsWith(".max") || name === "cgroup.freeze"));
    script(id, "mkdir /sys/mine/a; echo 1 >/sys/mine/a/cgroup.procs");
    assert.is(groupOf(room.state(id)?.pid), `${mine}/a`);
    // The limits above are not its own to change.
    assert.is(room.tsRunc(["exec", id, "sh", "-c", "echo max >/sys/pids.max"]).status, 1);
    done(["delete", "--force", id]);
    assert.not(existsSync(own));
  }
});

onV2("without a cgroup namespace or a pid namespace init is moved, too", () => {
  for (const types of [["mount"], ["mount", "pid"], ["mount", "cgroup"]]) {
    const linux = { namespaces: types.map((type) => ({ type })) };
    const id = start([], makeSleeper({ [delegate]: "mine" }, linux));
    assert.is(groupOf(room.state(id)?.pid), `${pathsOf(id)[""]}/mine`);
    done(["kill", id, "KILL"]);
    done(["delete", "--force", id]);
  }
});

onV2("a group that was there stays, and what was made in it does not", () => {
  const before = `/sys/fs/cgroup/${room.newId()}`;
  assert.is(runBriefly(["mkdir", before]).status, 0);
  const cgroupsPath = before.slice("/sys/fs/cgroup".length);
  // As long as it hands controllers on, it takes no process: neither the next container that is delegated a part of it, nor one that is not.
  for (const annotations of [{ [delegate]: "mine" }, { [delegate]: "mine" }, {}]) {
    const id = start([], makeSleeper(annotations, { cgroupsPath }));
    const place = Object.keys(annotations).length === 0 ? before : `${before}/mine`;
    assert.is(groupOf(room.state(id)?.pid), place);
    done(["delete", "--force", id]);
    assert.ok(existsSync(before) && !existsSync(`${before}/mine`));
    assert.is(readOf(`${before}/cgroup.subtree_control`), "");
  }
  assert.is(runBriefly(["rmdir", before]).status, 0);
});

withSystemd("a group below the unit is the container's, with its limits and device rules", () => {
  const nodes = [
    { path: "/dev/fuse", type: "c", major: 10, minor: 229 },
    { path: "/dev/loop-control", type: "c", major: 10, minor: 237 },
  ];
  const devices: LinuxResources["devices"] = [
    { allow: false, access: "rwm" },
    { allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
  ];
  const linux = { devices: nodes, resources: { ...resources, devices } };
  const id = start([systemd], makeSleeper({ [subgroup]: "sub" }, linux));
  const unit = `runc-${id}.scope`;
  const ends = `/system.slice/${unit}/sub`;
  const groups = Object.values(pathsOf(id));
  const expectInside = (when: string): void => {
    for (const group of groups) {
      assert.ok(group.endsWith(ends), group);
      const processes = readOf(`${group}/cgroup.procs`).trim();
      assert.is(processes, `${room.state(id)?.pid}`, `${when}: ${group}`);
    }
    const said = script(id, tryDevices).replaceAll(/\s+/g, " ");
    assert.is(said, "null yes fuse yes loop-control no", when);
  };
  expectInside("running");
  const group = groupOf(room.state(id)?.pid);
  assert.is(readOf(`${group}/pids.max`), "44\n");
  assert.is(show(unit).get("TasksMax"), "44");
  assert.is(show(unit).get("DevicePolicy"), "auto");
  done(["update", "--pids-limit", "55", id]);
  assert.is(readOf(`${group}/pids.max`), "55\n");
  assert.is(show(unit).get("TasksMax"), "55");
  assert.is(runBriefly(["systemctl", "daemon-reload"]).status, 0);
  expectInside("read anew");
  assert.is(JSON.parse(done(["events", "--stats", id])).data.pids.limit, 55);
  done(["pause", id]);
  assert.is(room.state(id)?.status, "paused");
  done(["resume", id]);
  done(["delete", "--force", id]);
  assert.not(groups.some((path) => existsSync(path)));
  assert.is(show(unit).get("LoadState"), "not-found");
});

/** A device that may not be opened fails with EPERM, before anybody asks whether it is there. */
const tryDevices = `
for at in null fuse loop-control; do
  if (: < /dev/$at) 2>&1 | grep -q 'not permitted'; then echo $at no; else echo $at yes; fi
done`;

withSystemd("there is none below a slice, which systemd does not delegate", () => {
  const cgroupsPath = `system.slice:x:ts-runc-${process.pid}.slice`;
  const said = refusal([systemd], makeSleeper({ [subgroup]: "sub" }, { cgroupsPath }));
  assert.match(said, `${subgroup}=sub: the unit is ts-runc-${process.pid}.slice`);
});

const besideCrun = hasCrun ? withSystemd : test.skip;
if (!hasCrun) console.log("skip: beside crun: it is not installed");

besideCrun("groups, limits and what exec sees are as with crun", async () => {
  const asked: readonly Annotations[] = [
    { [subgroup]: "sub" },
    { [subgroup]: "" },
    ...(isV2 ? [{ [subgroup]: "sub", [delegate]: "mine" }] : []),
    ...(isV2 ? [{ [subgroup]: "", [delegate]: "mine" }] : []),
  ];
  for (const annotations of asked) {
    const seen = [];
    for (const of of ["ts-runc", "crun"] as const) {
      const run = (...argv: readonly string[]) =>
        of === "crun" ? runCrun(room, ...argv) : room.tsRunc(argv);
      const id = room.newId();
      const pidFile = join(room.directory, id);
      const bundle = makeSleeper(annotations);
      const options = ["--detach", "--pid-file", pidFile, "--bundle", bundle];
      const { status, stderr } = run(systemd, "run", ...options, id);
      assert.is(status, 0, `${of}: ${stderr}`);
      await until(() => existsSync(pidFile));
      const group = groupOf(Number(readOf(pidFile)));
      const place = group.slice(group.indexOf(".scope"));
      const files = ["pids.max", "memory.max", "cgroup.subtree_control"];
      const chain = [group, join(group, "..")].filter((path) => path.includes(".scope"));
      // systemd is told the limits of a unit by us alone, and its own, of all units, by crun.
      const told = chain.filter((path) => !path.endsWith(".scope") || place === ".scope");
      seen.push({
        place,
        files: told.map((path) =>
          files.map((file) => `${file}: ${theirs(readOf(`${path}/${file}`))}`),
        ),
        // On v1 crun's exec stays in the group of its caller where systemd counts processes, or comes into the container's in time.
        exec: run("exec", id, "cat", "/proc/self/cgroup").stdout.replaceAll(
          isV2 ? /.*::\/\..*\n/g : /.*(systemd|::).*\n/g,
          "",
        ),
      });
      assert.is(run("delete", "--force", id).status, 0);
    }
    assert.equal(seen[0], seen[1], JSON.stringify(annotations));
  }
});

/** crun hands on the controllers for which it has limits, and we all of them. */
function theirs(text: string): string {
  return text.replace(" rdma misc", "");
}

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
