// Who makes the group of a container, by the global options: nobody, or a systemd that is not there. Needs root.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/cgroup-manager");
const room = openRoom("cgroup-manager");
const disabled = ["--cgroup-manager", "disabled"];
const hasSystemd = (process.env["TS_RUNC_MACHINE"] ?? "").startsWith("systemd");

test("with a disabled manager the container stays in its caller's group", () => {
  const { directory: bundle } = room.makeBundle({
    process: { args: ["cat", "/proc/self/cgroup"] },
    linux: { resources: { pids: { limit: 30 } } },
  });
  const argv = [...disabled, "run", "--bundle", bundle, room.newId()];
  const { status, stdout, stderr } = room.tsRunc(argv);
  assert.is(status, 0, stderr);
  assert.is(stdout, readFileSync("/proc/self/cgroup", "utf8"));
  assert.match(stderr, "ignoring linux.resources.pids: --cgroup-manager disabled");
});

test("without a group there is still a life: created, started, entered, killed, deleted", () => {
  const { directory: bundle } = room.makeBundle({ process: { args: ["sleep", "100"] } });
  const id = room.newId();
  const run = (...argv: readonly string[]): string => {
    const { status, stdout, stderr } = room.tsRunc(argv);
    assert.is(status, 0, `${argv.join(" ")}: ${stderr}`);
    return stdout;
  };
  run(...disabled, "create", "--bundle", bundle, id);
  run("start", id);
  assert.is(room.state(id)?.status, "running");
  assert.is(run("exec", id, "echo", "here"), "here\n");
  const pause = room.tsRunc(["pause", id]);
  assert.is(pause.status, 1);
  assert.match(pause.stderr, "cgroups not configured for container");
  run("kill", id, "KILL");
  run("delete", "--force", id);
});

test("a systemd that does not run is said not to, in runc's words, and nothing is made", () => {
  if (hasSystemd) return;
  const { directory: bundle } = room.makeBundle();
  const words = "systemd not running on this host, cannot use systemd cgroups manager";
  for (const global of [["--systemd-cgroup"], ["--cgroup-manager", "systemd"]]) {
    const { status, stderr } = room.tsRunc([...global, "run", "--bundle", bundle, room.newId()]);
    assert.is(status, 1);
    assert.match(stderr, words);
  }
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
