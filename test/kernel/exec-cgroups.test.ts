// exec and the container's cgroups: its limits, groups below it, and groups that take no process. Needs root.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { openExecRoom } from "../support/exec-room.ts";

const test = suite("kernel/exec-cgroups");
const execRoom = openExecRoom("exec-cgroups");
const { room, startContainer, exec, outputOf, processFile, recordOf } = execRoom;
const isV2 = readCgroupHost().version === "v2";

function groupOf(id: string, controller: string): string {
  const paths = recordOf(id).cgroup_paths;
  return (isV2 ? paths[""] : paths[controller]) ?? "";
}

test("a container with room for one more process takes one more", () => {
  const id = startContainer();
  const limit = join(groupOf(id, "pids"), "pids.max");
  if (!existsSync(limit)) return console.log("skip: pids.max: no such controller here");
  writeFileSync(limit, "2");
  for (let times = 0; times < 5; times += 1) assert.is(exec(id, "true").status, 0);
  assert.is(exec(id, "sh", "-c", "true & wait").status, 2);
  writeFileSync(limit, "1");
  const { status, stderr } = exec(id, "true");
  // On v1 a process comes from outside, where the limit does not count; on v2 it is born inside.
  assert.is(status, isV2 ? 255 : 0);
  if (isV2) assert.match(stderr, /clone3: resource temporarily unavailable/);
});

test("a process that the kernel kills for want of memory on its way says so", () => {
  // The last steps carry the environment: the process dies of it before execve, as the largest in the group.
  const env = Array.from({ length: 60 }, (_, index) => `V${index}=${"x".repeat(120_000)}`);
  const process = { args: ["/bin/true"], cwd: "/", env };
  for (const options of [[], ["-d"]]) {
    const id = startContainer();
    const limit = join(groupOf(id, "memory"), isV2 ? "memory.max" : "memory.limit_in_bytes");
    if (!existsSync(limit)) return console.log("skip: memory: no such controller here");
    writeFileSync(limit, `${5 * 1024 * 1024}`);
    const { status, stderr } = exec(...options, "-p", processFile(process), id);
    assert.is(status, 255);
    assert.match(stderr, /exec failed: unable to start .*has died \(possibly OOM-killed\)/);
    assert.is(room.state(id)?.status, "running");
  }
});

test("--cgroup places the process below the container's groups", () => {
  const id = startContainer();
  const paths = [...new Set(Object.values(recordOf(id).cgroup_paths))];
  const subs = paths.map((path) => join(path, "sub"));
  for (const sub of subs) mkdirSync(sub);
  const cpuset = recordOf(id).cgroup_paths["cpuset"];
  for (const file of cpuset === undefined ? [] : ["cpuset.cpus", "cpuset.mems"]) {
    writeFileSync(join(cpuset ?? "", "sub", file), readFileSync(join(cpuset ?? "", file)));
  }
  const inner = (): string[] =>
    readFileSync(`/proc/${room.state(id)?.pid}/cgroup`, "utf8")
      .trim()
      .split("\n");
  const seen = outputOf("--cgroup", "sub", id, "cat", "/proc/self/cgroup").split("\n");
  const expected = inner().map((line) => (line.includes(id) ? `${line}/sub` : line));
  assert.equal(seen, expected);
  assert.equal(outputOf("--cgroup", "/", id, "cat", "/proc/self/cgroup").split("\n"), inner());
  const one = isV2 ? exec("--cgroup", "pids:sub", id, "true") : undefined;
  if (one !== undefined) assert.match(one.stderr, /unknown controller pids in SubCgroupPaths/);
  else {
    const pids = outputOf("--cgroup", "pids:sub", id, "cat", "/proc/self/cgroup").split("\n");
    assert.equal(
      pids,
      inner().map((line) => (/:pids:/.test(line) ? `${line}/sub` : line)),
    );
  }
  const absent = exec("--cgroup", "absent", id, "true");
  assert.is(absent.status, 255);
  assert.match(absent.stderr, /absent.*no such file or directory/);
  for (const sub of subs) rmdirSync(sub);
});

test("a v2 group that has given its controllers away is entered where init is", () => {
  if (!isV2) return console.log("skip: nested controllers: cgroup v1 has none");
  const id = startContainer();
  const group = groupOf(id, "");
  mkdirSync(join(group, "inner"));
  writeFileSync(join(group, "inner/cgroup.procs"), `${room.state(id)?.pid}`);
  writeFileSync(join(group, "cgroup.subtree_control"), "+pids");
  assert.match(outputOf(id, "cat", "/proc/self/cgroup"), /\/inner$/);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  if (existsSync(group)) {
    rmdirSync(join(group, "inner"));
    rmdirSync(group);
  }
});

test("nothing is left behind", async () => {
  assert.equal(await execRoom.end(), []);
});

test.after(room.remove);

test.run();
