import { suite } from "uvu";
import * as assert from "uvu/assert";
import { toInt64, toUint64 } from "../../src/spec/integers.ts";

const test = suite("spec/integers");

test("toUint64() gives the largest number back, which JSON.parse rounded up", () => {
  assert.is(toUint64(JSON.parse("18446744073709551615")), 0xffff_ffff_ffff_ffffn);
  assert.is(toUint64(0), 0n);
  assert.is(toUint64(1024), 1024n);
});

test("toInt64() gives the largest number back and keeps the smallest", () => {
  assert.is(toInt64(JSON.parse("9223372036854775807")), 0x7fff_ffff_ffff_ffffn);
  assert.is(toInt64(JSON.parse("-9223372036854775808")), -0x8000_0000_0000_0000n);
  assert.is(toInt64(-1), -1n);
});

test.run();
