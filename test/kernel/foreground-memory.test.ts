// What a foreground run or exec holds in memory while its program lives, beside runc's budget for it. Needs root.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRoom, slowness } from "../support/room.ts";

const test = suite("kernel/foreground-memory");
const room = openRoom("memory");

/** An empty compiled Bun program holds 23 MiB; the design allows 3 more. Some of it depends on what else is mapped. */
const pssMaxKiB = 30 * 1024;

async function pssOf(argv: readonly string[]): Promise<readonly [pssKiB: number, status: number]> {
  const child = Bun.spawn(room.command(...argv), { stdio: ["ignore", "ignore", "inherit"] });
  await Bun.sleep(1500);
  const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, "utf8");
  return [Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]), await child.exited];
}

const namespaces = [{ type: "pid" }, { type: "mount" }];

test("a foreground run lets go of what it does not need to wait, and still reaps", async () => {
  const bundle = room.makeBundle({
    process: { args: ["sh", "-c", "sleep 3; exit 7"] },
    linux: { namespaces },
  });
  const [pssKiB, status] = await pssOf(["run", "-b", bundle.directory, room.newId()]);
  assert.is(status, 7);
  // In the machine it may not have come to wait by then.
  if (slowness === 1) assert.ok(pssKiB < pssMaxKiB, `${pssKiB} KiB`);
});

test("a foreground exec does so, too", async () => {
  const bundle = room.makeBundle({ process: { args: ["sleep", "1000"] }, linux: { namespaces } });
  const id = room.newId();
  assert.is(room.tsRunc(["run", "-d", "-b", bundle.directory, id]).status, 0);
  const [pssKiB, status] = await pssOf(["exec", id, "sh", "-c", "sleep 3; exit 7"]);
  assert.is(status, 7);
  if (slowness === 1) assert.ok(pssKiB < pssMaxKiB, `${pssKiB} KiB`);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
