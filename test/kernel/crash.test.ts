// Kills the runtime at every moment of a create: no process may go on, and `delete --force` must find from the record what
// else there is. Needs root.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRoom, slowness, until } from "../support/room.ts";

const test = suite("kernel/crash");
const room = openRoom("crash");
const rounds = slowness === 1 ? 30 : 5;
/** About as long as a create works on its container; the moments are spread evenly over it. */
const workMs = 16 * slowness;

const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs" },
  { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] },
];
const resources = { pids: { limit: 20 }, memory: { limit: 64 << 20 } };
const namespaces = ["pid", "mount", "network", "ipc", "uts", "cgroup"].map((type) => ({ type }));
const process_ = { args: ["sleep", "1000"] };

/** Waits until the runtime has begun with the container, which start-up and a busy host delay, and then a part of its work. */
function moment(id: string, round: number): void {
  const directory = join(room.directory, "state", id);
  // Not the timer of the event loop: it is as coarse as what is to be hit.
  for (const end = performance.now() + 1000 * slowness; performance.now() < end; ) {
    if (existsSync(directory)) break;
  }
  const end = performance.now() + (workMs * round) / rounds;
  while (performance.now() < end);
}

async function killDuring(verb: readonly string[], round: number, change: object): Promise<string> {
  const bundle = room.makeBundle({ mounts, process: process_, ...change });
  const id = room.newId();
  const child = Bun.spawn(room.command(...verb, "--bundle", bundle.directory, id), {
    cwd: room.directory,
    stdio: ["ignore", "ignore", "ignore"],
  });
  moment(id, round);
  child.kill("SIGKILL");
  const status = await child.exited;
  // What was being spawned has a share in the lock of the container until it executes the stub, and so the making goes on.
  await until(() => room.state(id)?.status !== "creating");
  const state = room.state(id);
  const survives = state !== undefined && state.status !== "stopped";
  // What has got as far as being parked, or to the program, lives on, as with runc; nothing else may.
  if (survives) assert.match(state.status, verb[0] === "create" ? /^created$/ : /^running$/);
  else {
    assert.equal(
      await room.leftoverProcesses(),
      [],
      `round ${round} of ${verb.join(" ")}, status ${status}`,
    );
  }
  const removed = room.tsRunc(["delete", "--force", id]);
  assert.is(removed.status, 0, removed.stderr);
  assert.equal(await room.leftovers(), [], `round ${round} of ${verb.join(" ")}`);
  return survives ? "alive" : state === undefined ? "nothing" : "stopped";
}

const linux = { namespaces, resources };
const mappings = [{ containerID: 0, hostID: 0, size: 65536 }];
const mapped = {
  linux: {
    namespaces: [...namespaces, { type: "user" }],
    resources,
    uidMappings: mappings,
    gidMappings: mappings,
  },
};

for (const [name, verb, change] of [
  ["create", ["create"], { linux }],
  ["create with a user namespace", ["create"], mapped],
  ["run -d", ["run", "-d"], { linux }],
] as const) {
  test(`a runtime that is killed during ${name} leaves no process, and nothing behind delete`, async () => {
    const ends = new Map<string, number>();
    for (let round = 0; round < rounds; round += 1) {
      const end = await killDuring(verb, round, change);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    console.log(`${name}: ${[...ends].map(([end, times]) => `${end} ${times}`).join(", ")}`);
    // A kill that always came too early or too late would prove nothing.
    if (slowness === 1) assert.ok((ends.get("stopped") ?? 0) > 0, "no create was interrupted");
  });
}

test("the record of an interrupted create names its cgroups before they are made", async () => {
  let interrupted = 0;
  for (let round = 0; round < rounds && interrupted < 3; round += 1) {
    const id = room.newId();
    const bundle = room.makeBundle({ mounts, process: process_, linux });
    const child = Bun.spawn(room.command("create", "--bundle", bundle.directory, id), {
      stdio: ["ignore", "ignore", "ignore"],
    });
    moment(id, round);
    child.kill("SIGKILL");
    await child.exited;
    if (room.state(id)?.status === "stopped") {
      const path = join(room.directory, "state", id, "state.json");
      const record = JSON.parse(readFileSync(path, "utf8"));
      // Between the last word of the record and the parking of init there is a moment, too.
      assert.match(record.tsRunc.phase, /^(intent|created)$/);
      if (record.tsRunc.phase === "intent") interrupted += 1;
      assert.ok(record.tsRunc.madeCgroups.length > 0);
      for (const group of record.tsRunc.madeCgroups) assert.ok(group.endsWith(id), group);
    }
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  }
  if (slowness === 1) assert.ok(interrupted > 0);
});

test("nothing of the interrupted creates is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
