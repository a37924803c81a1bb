import { suite } from "uvu";
import * as assert from "uvu/assert";
import { wordFaultError } from "../../src/base/word-fault.ts";
import { parseContainerId } from "../../src/spec/container-id.ts";
import { catchFault } from "./catch-fault.ts";

const test = suite("spec/container-id");

function messageFor(id: string): string {
  const fault = catchFault(() => parseContainerId(id));
  return fault === undefined ? "accepted" : wordFaultError(fault);
}

test("parseContainerId() accepts letters, digits and the four signs", () => {
  for (const id of ["a", "0", "A-b_c+d.e", "...", ".hidden", "-dash", "x".repeat(1024)]) {
    assert.is(messageFor(id), "accepted");
  }
});

test("parseContainerId() refuses the empty id in runc's words", () => {
  assert.is(messageFor(""), "container id cannot be empty");
});

test("parseContainerId() refuses hostile ids in runc's words", () => {
  const hostile = [
    ".",
    "..",
    "../a",
    "a/b",
    "/",
    "a\0",
    "a\n",
    "\na",
    "a b",
    "é",
    "а",
    "a*",
    "$(a)",
  ];
  for (const id of [...hostile, "a\u200b", "ａ", "x".repeat(1025), "%2e%2e", "a\\b", "~"]) {
    assert.is(messageFor(id), "invalid container ID format", JSON.stringify(id));
  }
});

test.run();
