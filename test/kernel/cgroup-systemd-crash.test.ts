// Runtimes that are killed while they deal with systemd, and several that deal with it at once: units are gone behind `delete`, and
// systemd and the files say the same. Runs in the machines of test/vm that have systemd. Needs root.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  cgroupVersion,
  groupOf,
  hasSystemd,
  openDrivenRoom,
  readOf,
  show,
  unitsLeft,
} from "../support/systemd.ts";

const test = suite("kernel/cgroup-systemd-crash");
const check = hasSystemd ? test : test.skip;
const { room, makeBundle } = openDrivenRoom("systemd-crash");
const driver = "--systemd-cgroup";

/** Starts a command that leaves no stream of ours to what it makes. */
function startCommand(...argv: readonly string[]): Bun.Subprocess {
  return Bun.spawn(room.command(...argv), {
    cwd: room.directory,
    stdio: ["ignore", "ignore", "ignore"],
  });
}

const resources = { pids: { limit: 20 }, memory: { limit: 64 << 20 } };

/** Creates a container, and says how long it takes from the moment that it has a directory. */
async function timeCreate(bundle: string): Promise<number> {
  const id = room.newId();
  const child = startCommand(driver, "create", "--bundle", bundle, id);
  const started = await untilClaimed(id);
  assert.is(await child.exited, 0);
  const lasted = performance.now() - started;
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  return lasted;
}

/** Waits until the runtime has begun with the container. */
async function untilClaimed(id: string): Promise<number> {
  const directory = join(room.directory, "state", id);
  for (const end = performance.now() + 60_000; performance.now() < end; await Bun.sleep(1)) {
    if (existsSync(directory)) break;
  }
  return performance.now();
}

check("a create that is killed at any moment leaves nothing behind delete --force", async () => {
  const annotations = {
    "run.oci.systemd.subgroup": "sub",
    ...(cgroupVersion === "v2" ? { "run.oci.delegate-cgroup": "mine" } : {}),
  };
  // With and without groups below the unit.
  const bundles = [makeBundle({ resources }), makeBundle({ resources, annotations })] as const;
  const lastsMs = await timeCreate(bundles[0]);
  const rounds = 12;
  const seen = new Set<string>();
  for (let round = 0; round < rounds; round += 1) {
    const id = room.newId();
    const bundle = bundles[round % 2 === 0 ? 0 : 1];
    const child = startCommand(driver, "create", "--bundle", bundle, id);
    const started = await untilClaimed(id);
    while (performance.now() < started + (lastsMs * round) / rounds) await Bun.sleep(1);
    child.kill("SIGKILL");
    await child.exited;
    const state = room.state(id);
    seen.add(state?.status ?? "nothing");
    const removed = room.tsRunc(["delete", "--force", id]);
    assert.is(removed.status, 0, `round ${round}: ${removed.stderr}`);
    assert.is(show(`runc-${id}.scope`).get("LoadState"), "not-found", `round ${round}`);
    assert.equal(await room.leftovers(), [], `round ${round}`);
  }
  console.log(`killed at twelve moments of ${lastsMs.toFixed(0)} ms: ${[...seen].join(", ")}`);
  assert.ok(seen.has("stopped"), "none was interrupted");
  assert.is(unitsLeft(), "");
});

check("a delete that is killed can be done again", async () => {
  const bundle = makeBundle({ resources });
  for (let round = 0; round < 4; round += 1) {
    const id = room.newId();
    assert.is(await startCommand(driver, "run", "-d", "--bundle", bundle, id).exited, 0);
    const child = startCommand("delete", "--force", id);
    await Bun.sleep(100 + 150 * round);
    child.kill("SIGKILL");
    await child.exited;
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
    assert.is(show(`runc-${id}.scope`).get("LoadState"), "not-found", `round ${round}`);
  }
});

check("of many creates of one id, one has the unit, and others have theirs", async () => {
  const bundle = makeBundle({ resources });
  const same = room.newId();
  const others = [room.newId(), room.newId(), room.newId()];
  const ids = [same, same, same, ...others];
  const statuses = await Promise.all(
    ids.map((id) => startCommand(driver, "run", "-d", "--bundle", bundle, id).exited),
  );
  assert.is(statuses.slice(0, 3).filter((status) => status === 0).length, 1, `${statuses}`);
  assert.equal(statuses.slice(3), [0, 0, 0]);
  for (const id of [same, ...others]) {
    assert.is(room.state(id)?.status, "running");
    assert.is(show(`runc-${id}.scope`).get("ActiveState"), "active");
  }
  const deletions = [same, ...others].map((id) => startCommand("delete", "--force", id).exited);
  assert.equal(await Promise.all(deletions), [0, 0, 0, 0]);
  assert.is(unitsLeft(), "");
});

check(
  "updates and processes of exec at once end with what systemd and the files agree on",
  async () => {
    const bundle = makeBundle({ resources });
    const id = room.newId();
    assert.is(await startCommand(driver, "run", "-d", "--bundle", bundle, id).exited, 0);
    const limits = [31, 32, 33];
    const statuses = await Promise.all([
      ...limits.map((limit) => startCommand("update", "--pids-limit", `${limit}`, id).exited),
      ...limits.map(() => startCommand("exec", id, "true").exited),
    ]);
    assert.equal(statuses, [0, 0, 0, 0, 0, 0]);
    const unit = `runc-${id}.scope`;
    const inUnit = show(unit).get("TasksMax");
    assert.ok(limits.includes(Number(inUnit)), inUnit);
    assert.is(readOf(`${groupOf("pids", `/system.slice/${unit}`)}/pids.max`), `${inUnit}\n`);
    const config = readFileSync(join(room.directory, "state", id, "config.json"), "utf8");
    assert.is(`${JSON.parse(config).linux.resources.pids.limit}`, inUnit);
    // Whoever comes too late is told that there is no such container, or that it has stopped.
    const [deleted, ...late] = await Promise.all([
      startCommand("delete", "--force", id).exited,
      ...limits.map((limit) => startCommand("update", "--pids-limit", `${limit}`, id).exited),
    ]);
    assert.is(deleted, 0);
    for (const status of late) assert.ok(status === 0 || status === 1, `${status}`);
    assert.is(show(unit).get("LoadState"), "not-found");
  },
);

check("nothing is left", async () => {
  assert.is(unitsLeft(), "");
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
