// Configs from all over the property space with what Debian's runc lacks, beside its crun: the same program in the same
// container has to see the same. Needs root.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeCrunConfig, withoutCrunWays } from "../support/config-space-crun.ts";
import { hasCrun } from "../support/crun.ts";
import { expectSame } from "../support/differential.ts";
import { openRoom, slowness } from "../support/room.ts";

const test = suite("kernel/differential-crun");
const room = openRoom("differential-crun");
if (!hasCrun) console.log("skip: beside crun: it is not installed");
const beside = hasCrun ? test : test.skip;

/** Each of them is two containers; on an emulated processor a few of them have to do. */
const count = slowness === 1 ? 64 : 4;

beside(`${count} configs with what runc lacks look the same from inside as under crun`, () => {
  expectSame(room, { count, make: makeCrunConfig, other: "crun", simplify: withoutCrunWays });
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
