// Sizes as the options of `update` take them.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseSize } from "../../src/cli/size.ts";
import { catchFault } from "../spec/catch-fault.ts";

const test = suite("cli/size");

test("parseSize() reads what go-units reads", () => {
  const sizes: Readonly<Record<string, number>> = {
    "0": 0,
    "512": 512,
    "512b": 512,
    "1k": 1024,
    "1K": 1024,
    "1kb": 1024,
    "1KiB": 1024,
    "1.5g": 1.5 * 1024 ** 3,
    "10 MB": 10 * 1024 ** 2,
    "2T": 2 * 1024 ** 4,
    "1p": 1024 ** 5,
    ".5k": 512,
    "-1": -1,
  };
  for (const [given, bytes] of Object.entries(sizes)) {
    assert.is(parseSize(given, "memory"), bytes, given);
  }
});

test("parseSize() refuses the rest in runc's words", () => {
  const refusals: Readonly<Record<string, string>> = {
    x: "invalid size: 'x'",
    "": "invalid size: ''",
    "-5": "invalid size: '-5'",
    "-1k": "invalid size: '-1k'",
    "5x": "invalid suffix: 'x'",
    "5kbb": "invalid suffix: 'kbb'",
    "5bk": "invalid suffix: 'bk'",
    "1..5g": 'strconv.ParseFloat: parsing "1..5": invalid syntax',
    "99999p": "'99999p' is more than can be counted",
  };
  for (const [given, why] of Object.entries(refusals)) {
    const fault = catchFault(() => parseSize(given, "memory-swap"))?.fault;
    assert.equal(
      fault,
      { kind: "refused", message: `invalid value for memory-swap: ${why}` },
      given,
    );
  }
});

test.run();
