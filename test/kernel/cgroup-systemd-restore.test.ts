// Containers that are saved from a unit of systemd and restored into one, by the real CRIU; other restores are in
// checkpoint.test.ts. Runs in the machines of test/vm that have systemd. Needs root.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runc } from "../cli/executable.ts";
import {
  counter,
  countOf,
  findCriuObstacle,
  openCheckpointRoom,
  untilCounted,
} from "../support/checkpoint-room.ts";
import { type Bundle, type RuntimeName, slowness, until } from "../support/room.ts";
import { cgroupVersion, groupOf, hasSystemd, readOf, show, unitsLeft } from "../support/systemd.ts";

const test = suite("kernel/cgroup-systemd-restore");
const checkpoints = openCheckpointRoom("systemd-restore");
const { room, quietly, newImages } = checkpoints;
const obstacle = hasSystemd ? findCriuObstacle() : "no systemd here";
if (obstacle !== undefined) console.log(`skip: ${obstacle}`);
const here = obstacle === undefined ? test : test.skip;
/** On cgroup v2 runc 1.1.5 restores into the group of the saved container, which is no unit then. */
const compared: readonly RuntimeName[] =
  runc === undefined || cgroupVersion === "v2" ? ["ts-runc"] : ["ts-runc", "runc"];

const driver = "--systemd-cgroup";

function makeCounter(annotations: Readonly<Record<string, string>> = {}): Bundle {
  const resources = { pids: { limit: 44 } };
  return room.makeBundle({ process: counter, annotations, linux: { resources } });
}

/** Runs the bundle in a unit, and saves it when it has counted a while. Returns the images, and how far it has come. */
async function runAndSave(of: RuntimeName, bundle: Bundle): Promise<[string, number]> {
  const id = room.newId();
  quietly(of, [driver, "run", "--detach", "--bundle", bundle.directory, id]);
  await untilCounted(bundle, 3);
  const directory = newImages();
  quietly(of, ["checkpoint", "--image-path", directory, id]);
  assert.is(show(`runc-${id}.scope`).get("LoadState"), "not-found", of);
  return [directory, countOf(bundle)];
}

const restoreArguments = (bundle: Bundle, directory: string, id: string): readonly string[] => [
  ...[driver, "restore", "--detach", "--bundle", bundle.directory],
  ...["--image-path", directory, id],
];

here("a saved container goes on in a unit of its own, with its limits, as with runc", async () => {
  const seen = [];
  for (const of of compared) {
    const bundle = makeCounter();
    const [directory, saved] = await runAndSave(of, bundle);
    const id = room.newId();
    quietly(of, restoreArguments(bundle, directory, id));
    const next = await untilCounted(bundle, saved);
    assert.ok(next > saved, `${saved}, then ${next}`);
    const unit = `runc-${id}.scope`;
    const shown = show(unit);
    const names = ["ActiveState", "ControlGroup", "Delegate", "Slice", "TasksMax", "DevicePolicy"];
    seen.push({
      properties: names.map((name) => `${name}=${shown.get(name)?.replaceAll(id, "ID")}`),
      limit: readOf(`${groupOf("pids", `/system.slice/${unit}`)}/pids.max`),
    });
    assert.is(room.runtime(of, ["exec", id, "true"]).status, 0);
    assert.is(room.runtime(of, ["delete", "--force", id]).status, 0);
    assert.is(show(unit).get("LoadState"), "not-found");
  }
  const [ours, theirs = ours] = seen;
  assert.is(ours?.limit, "44\n");
  assert.ok(ours?.properties.includes("ActiveState=active"));
  assert.equal(ours, theirs);
});

here("a restored container is in the groups below its unit that it was in", async () => {
  const isV2 = cgroupVersion === "v2";
  const bundle = makeCounter({
    "run.oci.systemd.subgroup": "sub",
    ...(isV2 ? { "run.oci.delegate-cgroup": "mine" } : {}),
  });
  const [directory, saved] = await runAndSave("ts-runc", bundle);
  const id = room.newId();
  quietly("ts-runc", restoreArguments(bundle, directory, id));
  await untilCounted(bundle, saved);
  const sub = `/system.slice/runc-${id}.scope/sub`;
  const own = isV2 ? `${sub}/mine` : sub;
  assert.match(readOf(`/proc/${room.state(id)?.pid}/cgroup`), `${own}\n`);
  assert.is(readOf(`${groupOf("pids", sub)}/pids.max`), "44\n");
  assert.is(readOf(`${groupOf("pids", own)}/pids.max`), isV2 ? "max\n" : "44\n");
  const { status, stdout } = room.tsRunc(["exec", id, "cat", "/proc/self/cgroup"]);
  assert.is(status, 0);
  assert.match(stdout, `${own}\n`);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

here("a restore that fails leaves no unit", async () => {
  const bundle = makeCounter();
  const [directory] = await runAndSave("ts-runc", bundle);
  Bun.spawnSync(["sh", "-c", `rm "${directory}"/core-*.img`]);
  const id = room.newId();
  const log = quietly("ts-runc", restoreArguments(bundle, directory, id), { fails: true });
  assert.match(log, "criu failed");
  assert.is(show(`runc-${id}.scope`).get("LoadState"), "not-found");
  assert.is(unitsLeft(), "");
});

here("a restore that is killed at any moment leaves no unit behind delete --force", async () => {
  const bundle = makeCounter();
  const [directory] = await runAndSave("ts-runc", bundle);
  const seen = new Set<string>();
  for (let round = 0; round < 6; round += 1) {
    const id = room.newId();
    const child = Bun.spawn(room.command(...restoreArguments(bundle, directory, id)), {
      cwd: room.directory,
      stdio: ["ignore", "ignore", "ignore"],
    });
    await until(() => existsSync(join(room.directory, "state", id)));
    await Bun.sleep(20 * slowness * round);
    child.kill("SIGKILL");
    await child.exited;
    seen.add(room.state(id)?.status ?? "nothing");
    const { status, stderr } = room.tsRunc(["delete", "--force", id]);
    assert.is(status, 0, stderr);
    assert.is(show(`runc-${id}.scope`).get("LoadState"), "not-found", `round ${round}`);
    assert.equal(await room.leftovers(), []);
  }
  console.log(`killed at six moments: ${[...seen].join(", ")}`);
  assert.is(unitsLeft(), "");
});

test.after(checkpoints.close);

test.run();
