// Signals as `kill` takes them.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FaultError } from "../../src/base/fault.ts";
import { wordFaultError } from "../../src/base/word-fault.ts";
import { parseSignal } from "../../src/cli/signal.ts";

const test = suite("cli/signal");

test("parseSignal() takes names in any case, with and without SIG", () => {
  for (const name of ["SIGKILL", "KILL", "kill", "sigkill", "SigKill"]) {
    assert.is(parseSignal(name), 9, name);
  }
  assert.is(parseSignal("CLD"), 17);
  assert.is(parseSignal("IOT"), 6);
  assert.is(parseSignal("POLL"), 29);
});

test("parseSignal() leaves the judgement of numbers to the kernel", () => {
  const cases = {
    "9": 9,
    "+9": 9,
    "009": 9,
    "0": 0,
    "-0": 0,
    "-1": -1,
    "34": 34,
    "64": 64,
    "65": 65,
  };
  for (const [given, number] of Object.entries(cases)) assert.is(parseSignal(given), number, given);
});

test("parseSignal() refuses other names, real-time names and numbers that 32 bits would cut", () => {
  const hostile = [
    "",
    "SIG",
    "SIGSIGKILL",
    "RTMIN",
    "SIGRTMIN+1",
    "9 ",
    "9.0",
    "0x9",
    "constructor",
  ];
  for (const given of [...hostile, "4294967305", "9".repeat(400), "KILL\n", "kıll"]) {
    try {
      parseSignal(given);
    } catch (error) {
      assert.instance(error, FaultError);
      const text = error instanceof FaultError ? wordFaultError(error) : "";
      assert.match(text, /^unknown signal "/);
      continue;
    }
    assert.unreachable(`${given} is taken for a signal`);
  }
});

test.run();
