import { suite } from "uvu";
import * as assert from "uvu/assert";
import { documentLimitBytes, nestingLimit, parseConfig } from "../../src/spec/load.ts";
import { catchFault } from "./catch-fault.ts";

const test = suite("spec/load");

function jsonFault(text: string): string {
  const fault = catchFault(() => parseConfig(text, "config.json"))?.fault;
  return fault?.kind === "json" ? fault.message : "parsed";
}

test("parseConfig() returns what the text says", () => {
  assert.equal(parseConfig('{"a": [1, "x", null]}', "config.json"), { a: [1, "x", null] });
});

test("parseConfig() names the document of a text that is no JSON, and keeps the cause", () => {
  for (const text of ["", "{", '{"a": tru}', "\ufeff{}", "{} {}"]) {
    const error = catchFault(() => parseConfig(text, "process.json"));
    assert.is(error?.fault.kind === "json" && error.fault.document, "process.json", text);
    assert.instance(error?.cause, SyntaxError);
  }
});

test("parseConfig() refuses a text above the limit without parsing it", () => {
  assert.is(jsonFault(" ".repeat(documentLimitBytes + 1)), "is larger than 64 MiB");
});

test("parseConfig() refuses deep nesting and accepts wide documents", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}1${"]".repeat(depth)}`;
  assert.is(jsonFault(nested(nestingLimit)), "parsed");
  assert.match(jsonFault(nested(nestingLimit + 1)), "nested more than 512 levels deep");
  assert.match(jsonFault(`${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`), "nested");
  assert.is(jsonFault(`[${"[],".repeat(5000)}{}]`), "parsed");
  assert.is(jsonFault(JSON.stringify("[".repeat(5000))), "parsed");
});

test("parseConfig() marks integers that a double would round, outside of strings only", () => {
  const text = '{"18446744073709551488": "9007199254740993", "a": [9007199254740993, 1e400]}';
  assert.equal(parseConfig(text, "config.json"), {
    "18446744073709551488": "9007199254740993",
    a: [{ inexactInteger: "9007199254740993" }, Number.POSITIVE_INFINITY],
  });
});

test("parseConfig() keeps long numbers that are exact or are the largest of their type", () => {
  const text =
    "[9007199254740992, 18446744073709551615, 9223372036854775807, -9223372036854775808]";
  assert.equal(parseConfig(text, "config.json"), [2 ** 53, 2 ** 64, 2 ** 63, -(2 ** 63)]);
});

test.run();
