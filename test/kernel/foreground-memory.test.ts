// What a foreground run holds in memory while its container lives, beside runc's budget for it. Needs root.

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openRoom, slowness } from "../support/room.ts";

const test = suite("kernel/foreground-memory");
const room = openRoom("memory");

/** An empty compiled Bun program holds 23 MiB; the design allows 3 more. Some of it depends on what else is mapped. */
const pssMaxKiB = 30 * 1024;

test("a foreground run lets go of what it does not need to wait, and still reaps", async () => {
  const bundle = room.makeBundle({
    process: { args: ["sh", "-c", "sleep 3; exit 7"] },
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }] },
  });
  const child = Bun.spawn(room.command("run", "-b", bundle.directory, room.newId()), {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await Bun.sleep(1500);
  const rollup = readFileSync(`/proc/${child.pid}/smaps_rollup`, "utf8");
  const pssKiB = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]);
  assert.is(await child.exited, 7);
  // In the machine it may not have come to wait by then.
  if (slowness === 1) assert.ok(pssKiB < pssMaxKiB, `${pssKiB} KiB`);
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
