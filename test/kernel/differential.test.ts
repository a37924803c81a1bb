// Configs from all over the property space beside Debian's runc: the same program in the same container has to see the same.
// Needs root.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runc } from "../cli/executable.ts";
import { makeSpaceConfig } from "../support/config-space.ts";
import { expectSame } from "../support/differential.ts";
import { openRoom, slowness } from "../support/room.ts";

const test = suite("kernel/differential");
const room = openRoom("differential");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;

/** Each of them is two containers; on an emulated processor a few of them have to do. */
const count = slowness === 1 ? 320 : 12;

beside(`${count} configs look the same from inside`, () => {
  expectSame(room, { count, make: makeSpaceConfig, other: "runc" });
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
