// Checks that no file is lost or taken for a success, however a machine ends; what runs inside are the fixtures.

import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { machineObstacle, parseFrames, runInMachine } from "./bench.ts";

const test = suite("vm/bench");
const obstacle = machineObstacle();
if (obstacle !== undefined) console.log(`skip: ${obstacle}`);
const machineTest = obstacle === undefined ? test : test.skip;

const fixture = (name: string): string => `test/vm/fixtures/${name}.ts`;
const totals = "  Total:     2\n  Passed:    1\n  Skipped:   3\n";
const whole = Buffer.from(
  `ready 1.50 6.1.0\nbegin 2.00 a.ts\nend 4.50 1 ${totals.length} 4\n${totals}oops` +
    "begin 5.00 b.ts\nend 5.10 0 0 0\ndone\n",
);

test("parseFrames() counts each file as test/run.ts does", () => {
  const frames = parseFrames(whole);
  assert.is(frames.done, true);
  assert.is(frames.running, undefined);
  assert.is(frames.kernelRelease, "6.1.0");
  assert.is(frames.bootSeconds, 1.5);
  assert.equal(frames.outcomes.get("a.ts"), {
    file: "a.ts",
    seconds: 2.5,
    passed: 1,
    failed: 1,
    skipped: 3,
    ended: true,
    output: `${totals}oops`,
  });
  // A file that prints no totals has run nothing: failed.
  assert.is(frames.outcomes.get("b.ts")?.failed, 1);
});

test("parseFrames() takes no cut frame for a result", () => {
  for (let length = 0; length < whole.length; length++) {
    const frames = parseFrames(whole.subarray(0, length));
    assert.is(frames.done, false);
    for (const [file, outcome] of frames.outcomes) {
      assert.equal(outcome, parseFrames(whole).outcomes.get(file));
    }
  }
});

test("parseFrames() stops at what is no frame", () => {
  const frames = parseFrames(Buffer.from("ready 1 6.1.0\nnoise\ndone\n"));
  assert.is(frames.done, false);
});

machineTest(
  "runInMachine() reports failures, hangs, a panic and what was not reached",
  async () => {
    const names = ["litter", "hang", "panic", "unreached"];
    const run = await runInMachine({
      files: ["litter", "litter", "hang", "panic", "unreached"].map(fixture),
      timeoutMs: 120_000,
      fileTimeoutMs: 5_000,
    });
    const [litter, hang, panic, unreached] = names.map((name) =>
      run.files.find(({ file }) => file === fixture(name)),
    );
    assert.equal([litter?.passed, litter?.failed, litter?.skipped], [2, 1, 1], litter?.output);
    assert.match(litter?.output ?? "", "as it should");
    assert.is(hang?.failed, 1);
    assert.match(hang?.output ?? "", "hanging");
    assert.match(panic?.output ?? "", "it was running when the machine ended");
    assert.match(panic?.output ?? "", "Kernel panic");
    assert.match(unreached?.output ?? "", "it was not reached");
    assert.match(run.failure ?? "", "the machine went down before all files had run");
  },
);

machineTest("runInMachine() kills a machine that is not done in time", async () => {
  const run = await runInMachine({ files: [fixture("hang")], timeoutMs: 1_500 });
  assert.match(run.failure ?? "", /the machine was killed after 1\.[5-9] s/);
  assert.is(run.failed, 1);
  assert.equal(
    readdirSync(tmpdir()).filter((name) => name.startsWith("ts-runc-machine-")),
    [],
  );
});

test.run();
