// Runs chosen files of test/kernel in the machine of bench.ts and prints what they say: for work on one of them.
//
//   scripts/bun test/vm/some.ts test/kernel/exec.test.ts ...

import { machineObstacle, runInMachine } from "./bench.ts";

const files = process.argv.slice(2);
const obstacle = machineObstacle();
if (obstacle !== undefined || files.length === 0) {
  console.error(obstacle ?? "which files?");
  process.exit(1);
}
const run = await runInMachine({ files, timeoutMs: 12 * 60 * 1000, fileTimeoutMs: 5 * 60 * 1000 });
for (const { file, passed, failed, skipped, seconds, output } of run.files) {
  console.log(output);
  console.log(
    `${file}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds.toFixed(1)} s`,
  );
}
if (run.failure !== undefined) console.error(run.failure);
process.exit(run.failure === undefined && run.files.every(({ failed }) => failed === 0) ? 0 : 1);
