// Runs chosen files of test/kernel in a machine of bench.ts and prints what they say: for work on one of them.
//
//   scripts/bun test/vm/some.ts [v2-newer | systemd | systemd-v1] test/kernel/exec.test.ts ...

import { machineColumns } from "../support/cgroup-matrix.ts";
import { type MachineKind, obstacleOf, runInMachine } from "./bench.ts";

const [first = "", ...others] = process.argv.slice(2);
const isKind = (word: string): word is MachineKind => word in machineColumns;
const kind = isKind(first) ? first : "v2";
const files = isKind(first) ? others : process.argv.slice(2);
const obstacle = obstacleOf(kind);
if (obstacle !== undefined || files.length === 0) {
  console.error(obstacle ?? "which files?");
  process.exit(1);
}
/** What cgroup-cycles.test.ts reads. */
const { TS_RUNC_CYCLES = "", TS_RUNC_CYCLES_OF = "" } = process.env;
const patience = TS_RUNC_CYCLES === "" ? 1 : 10;
const run = await runInMachine({
  kind,
  files,
  timeoutMs: patience * 12 * 60 * 1000,
  fileTimeoutMs: patience * 5 * 60 * 1000,
  environment: TS_RUNC_CYCLES === "" ? {} : { TS_RUNC_CYCLES, TS_RUNC_CYCLES_OF },
});
for (const { file, passed, failed, skipped, seconds, output } of run.files) {
  console.log(output);
  console.log(
    `${file}: ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds.toFixed(1)} s`,
  );
}
if (run.failure !== undefined) console.error(run.failure);
process.exit(run.failure === undefined && run.files.every(({ failed }) => failed === 0) ? 0 : 1);
