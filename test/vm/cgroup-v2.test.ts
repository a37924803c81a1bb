// Runs files of test/kernel in the machine of bench.ts (cgroup v2 only, no systemd) and reports each as one test: those that
// see another world there (groups, all capabilities, an older kernel's mounts, criu). `npm run test:vm` runs all of them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { matrixFaults, readCompatibility } from "../support/cgroup-matrix.ts";
import { type MachineRun, machineObstacle, runInMachine } from "./bench.ts";

const test = suite("vm/cgroup-v2");
/** Below the time-out of test/run.ts for a file, so that it is us who say what hung. */
const timeoutMs = 24 * 60 * 1000;
const fileTimeoutMs = 10 * 60 * 1000;

const root = join(import.meta.dir, "../..");

/**
 * Left to `npm run test:vm`: what does not depend on the version of the cgroups, nor on a capability that a host may lack, and
 * takes minutes on an emulated processor; and what needs a program that the machine does not have.
 */
const leftOut = [
  "arm64",
  "bad-input",
  "completion",
  "conformance-mutants",
  "descriptors",
  "drive",
  "engine-containerd",
  "engine-docker",
  "engine-podman",
  "errors",
  "every-property",
  "exec-contract",
  "exec-terminal",
  "hook-troubles",
  "hostile-directory",
  "instructions",
  "mounts-proc",
  "options",
  "refused-values",
  "reports-contract",
  "seccomp-raw",
  "stub-pid1",
  "stub-soak",
  "terminal",
  "terminal-session",
];

const files = [...new Bun.Glob("test/kernel/**/*.test.ts").scanSync(root)]
  .filter((file) => !leftOut.some((name) => file === `test/kernel/${name}.test.ts`))
  .sort();
const obstacle = machineObstacle();

/** A machine keeps one processor of the host busy; of two, each gets every second file. */
const machines = 2;

/** Runs the files; what is left when the emulator locks up, which is not ours to mend, gets another machine. */
async function runInMachines(some: readonly string[]): Promise<MachineRun> {
  const run = await runInMachine({ files: some, timeoutMs, fileTimeoutMs });
  if (!run.lockedUp) return run;
  console.log(`once more, in another machine: ${run.failure}`);
  const left = run.files.filter(({ ended }) => !ended).map(({ file }) => file);
  const second = await runInMachine({ files: left, timeoutMs, fileTimeoutMs });
  return { ...second, files: [...run.files.filter(({ ended }) => ended), ...second.files] };
}

test("what is left out exists", () => {
  for (const name of leftOut)
    assert.ok(existsSync(join(root, `test/kernel/${name}.test.ts`)), name);
});

// The machines run before the tests are registered: what is skipped inside is known only then.
if (obstacle === undefined) {
  const shares = Array.from({ length: machines }, (_, share) =>
    files.filter((_, index) => index % machines === share),
  );
  const runs = await Promise.all(shares.map(runInMachines));
  for (const [index, run] of runs.entries()) {
    console.log(
      `machine ${index + 1}: Linux ${run.kernelRelease} took ${run.bootSeconds} s to boot; all of it, ${run.totalSeconds.toFixed(1)} s`,
    );
    test(`machine ${index + 1} boots, runs every file and powers itself off`, () => {
      assert.is(run.failure, undefined, run.failure);
    });
  }
  const outcomes = runs.flatMap((run) => run.files);
  for (const { file, output } of outcomes) {
    const reasons = [...output.matchAll(/(?:^|• )skip: (.*)$/gm)].map((match) => match[1] ?? "");
    for (const reason of new Set(reasons)) console.log(`skip: in the machine, ${file}: ${reason}`);
  }
  for (const { file, passed, failed, skipped, output, seconds } of outcomes) {
    console.log(
      `${file}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds.toFixed(1)} s`,
    );
    const register = failed === 0 && passed === 0 ? test.skip : test;
    register(`${file} passes in the machine`, () => {
      if (failed > 0) throw new Error(output);
    });
  }
  test("docs/compatibility.md says of the files about cgroups what the machine saw", () => {
    assert.equal(matrixFaults(readCompatibility(), { mode: "VM, v2", outcomes }), []);
  });
} else {
  console.log(`skip: ${obstacle}`);
  for (const file of files) test.skip(`${file} passes in the machine`);
}

test.run();
