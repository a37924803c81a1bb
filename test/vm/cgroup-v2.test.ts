// Runs the files of test/kernel in the machine of bench.ts (cgroup v2 only, no systemd) and reports each as one test.

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type MachineRun, machineObstacle, runInMachine } from "./bench.ts";

const test = suite("vm/cgroup-v2");
/** Below the time-out of test/run.ts for a file, so that it is us who say what hung. */
const timeoutMs = 24 * 60 * 1000;
const fileTimeoutMs = 10 * 60 * 1000;

const root = join(import.meta.dir, "../..");
const files = [...new Bun.Glob("test/kernel/**/*.test.ts").scanSync(root)]
  // A soak looks for rare events by number of tries; an emulated processor makes minutes of it and adds nothing.
  .filter((file) => !file.endsWith("-soak.test.ts"))
  .sort();
const obstacle = machineObstacle();

/** Runs the files; what is left when the emulator locks up, which is not ours to mend, gets a second machine. */
async function runInMachines(): Promise<MachineRun> {
  const run = await runInMachine({ files, timeoutMs, fileTimeoutMs });
  if (!run.lockedUp) return run;
  console.log(`once more, in a second machine: ${run.failure}`);
  const left = run.files.filter(({ ended }) => !ended).map(({ file }) => file);
  const second = await runInMachine({ files: left, timeoutMs, fileTimeoutMs });
  return { ...second, files: [...run.files.filter(({ ended }) => ended), ...second.files] };
}

// The machine runs before the tests are registered: what is skipped inside is known only then.
if (obstacle === undefined) {
  const run = await runInMachines();
  console.log(
    `Linux ${run.kernelRelease} took ${run.bootSeconds} s to boot; all of it, ${run.totalSeconds.toFixed(1)} s`,
  );
  for (const { file, output } of run.files) {
    const reasons = [...output.matchAll(/(?:^|• )skip: (.*)$/gm)].map((match) => match[1] ?? "");
    for (const reason of new Set(reasons)) console.log(`skip: in the machine, ${file}: ${reason}`);
  }
  test("the machine boots, runs every file and powers itself off", () => {
    assert.is(run.failure, undefined, run.failure);
  });
  for (const { file, passed, failed, skipped, output, seconds } of run.files) {
    console.log(
      `${file}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds.toFixed(1)} s`,
    );
    const register = failed === 0 && passed === 0 ? test.skip : test;
    register(`${file} passes in the machine`, () => {
      if (failed > 0) throw new Error(output);
    });
  }
} else {
  console.log(`skip: ${obstacle}`);
  for (const file of files) test.skip(`${file} passes in the machine`);
}

test.run();
