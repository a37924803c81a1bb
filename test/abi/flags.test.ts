// Bits by their names.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openFlags } from "../../src/abi/file.ts";
import { flagNames } from "../../src/abi/flags.ts";

const test = suite("abi/flags");

test("flagNames() joins the names of all bits", () => {
  assert.is(flagNames({ A: 1, B: 2, C: 4 }, 5), "A|C");
  assert.is(flagNames({ A: 1 }, 0), "0");
});

test("flagNames() shows bits without a name in hexadecimal", () => {
  assert.is(flagNames({ A: 1 }, 0x8001), "A|0x8000");
  assert.is(flagNames({}, 6), "0x6");
});

test("flagNames() takes a name of several bits before the names of its parts", () => {
  assert.is(flagNames(openFlags, openFlags.O_TMPFILE), "O_TMPFILE");
  assert.is(flagNames(openFlags, openFlags.O_DIRECTORY), "O_DIRECTORY");
  assert.is(flagNames({ AB: 3, A: 1, B: 2 }, 1), "A");
});

test("flagNames() never names the value 0, and reaches beyond 32 bits", () => {
  assert.is(flagNames({ NONE: 0, A: 1 }, 1), "A");
  assert.is(flagNames({ WIDE: 0x2_0000_0000, A: 1 }, 0x2_0000_0001), "WIDE|A");
});

test.run();
