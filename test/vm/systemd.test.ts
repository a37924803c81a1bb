// Runs the files about systemd in the machines of bench.ts that have it: on cgroup v2, and on v1 with a v2 tree beside.

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { machineColumns, matrixFaults, readCompatibility } from "../support/cgroup-matrix.ts";
import { type MachineKind, obstacleOf, runInMachine } from "./bench.ts";

const test = suite("vm/systemd");
const root = join(import.meta.dir, "../..");
/** What takes minutes on an emulated processor is for matrix.ts. */
const long = ["contract", "crash", "restore"].map((what) => `cgroup-systemd-${what}.test.ts`);
const files = [...new Bun.Glob("test/kernel/*{systemd,cycles}*.test.ts").scanSync(root)]
  .filter((file) => !long.some((name) => file.endsWith(name)))
  .sort();
const kinds: readonly MachineKind[] = ["systemd", "systemd-v1"];

for (const kind of kinds) {
  const obstacle = obstacleOf(kind);
  if (obstacle !== undefined) console.log(`skip: ${obstacle}`);
  (obstacle === undefined ? test : test.skip)(
    `what a machine "${kind}" can show is so`,
    async () => {
      const run = await runInMachine({
        kind,
        files,
        timeoutMs: 8 * 60 * 1000,
        fileTimeoutMs: 4 * 60 * 1000,
      });
      console.log(
        `${kind}: ${run.bootSeconds} s to boot; all of it, ${run.totalSeconds.toFixed(1)} s`,
      );
      for (const { file, passed, skipped, seconds } of run.files) {
        console.log(`${file}: ${passed} passed, ${skipped} skipped, ${seconds.toFixed(1)} s`);
      }
      assert.is(run.failure, undefined, run.failure);
      assert.is(run.failed, 0, run.output);
      assert.ok(run.passed > 0, run.output);
      const ran = { mode: machineColumns[kind], outcomes: run.files };
      assert.equal(matrixFaults(readCompatibility(), ran), []);
    },
  );
}

test.run();
