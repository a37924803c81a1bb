// Durations as Go's time.ParseDuration reads them.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseDuration } from "../../src/cli/duration.ts";

const test = suite("cli/duration");

test("parseDuration() adds up numbers with units", () => {
  const durations: Readonly<Record<string, bigint>> = {
    "0": 0n,
    "5s": 5_000_000_000n,
    "-1.5h": -5_400_000_000_000n,
    "1m30s": 90_000_000_000n,
    "250ms": 250_000_000n,
    "1.5us": 1500n,
    "1\u00b5s": 1000n,
    ".5s": 500_000_000n,
    "+3ns": 3n,
    "1h2m3s4ms5us6ns": 3_723_004_005_006n,
  };
  for (const [given, nanoseconds] of Object.entries(durations)) {
    assert.is(parseDuration(given), nanoseconds, given);
  }
});

test("parseDuration() knows no number without a unit, no other unit, and nothing too long", () => {
  for (const given of [
    "",
    "1",
    "s",
    "1.5.5s",
    "1d",
    "1constructor",
    "1S",
    "1 s",
    "--1s",
    "9999999h",
    "x".repeat(999),
  ]) {
    assert.is(parseDuration(given), undefined, given);
  }
});

test.run();
