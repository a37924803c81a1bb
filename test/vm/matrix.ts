// Runs every file of test/kernel in every machine of bench.ts and prints what came of it; `npm test` runs a part of that.
//
//   npm run test:vm [-- KIND ...]      exit status 0 when nothing has failed anywhere

import { join } from "node:path";
import { type FileOutcome, type MachineKind, obstacleOf, runInMachine } from "./bench.ts";

const root = join(import.meta.dir, "../..");
const kinds: readonly MachineKind[] = ["v2", "systemd", "systemd-v1"];
/** So many files share a machine: what an emulator that locks up takes with it is no more than that. */
const filesPerMachine = 12;
const timeoutMs = 40 * 60 * 1000;
const fileTimeoutMs = 10 * 60 * 1000;

async function runAll(kind: MachineKind, files: readonly string[]): Promise<FileOutcome[]> {
  const outcomes: FileOutcome[] = [];
  for (let at = 0; at < files.length; at += filesPerMachine) {
    const share = files.slice(at, at + filesPerMachine);
    const run = await runInMachine({ kind, files: share, timeoutMs, fileTimeoutMs });
    if (run.failure !== undefined) console.log(`${kind}: ${run.failure}`);
    for (const outcome of run.files) report(kind, outcome);
    outcomes.push(...run.files);
  }
  return outcomes;
}

function report(kind: MachineKind, outcome: FileOutcome): void {
  const { file, passed, failed, skipped, seconds, output } = outcome;
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  console.log(`${kind} ${file}: ${counts}, ${seconds.toFixed(1)} s`);
  if (failed > 0) console.log(output);
}

const chosen = process.argv.slice(2);
const files = [...new Bun.Glob("test/kernel/**/*.test.ts").scanSync(root)]
  // A soak looks for rare events by number of tries; an emulated processor makes minutes of it and adds nothing.
  .filter((file) => !file.endsWith("-soak.test.ts"))
  .sort();
let failed = 0;
const rows: string[] = [];
for (const kind of kinds.filter((one) => chosen.length === 0 || chosen.includes(one))) {
  const obstacle = obstacleOf(kind);
  if (obstacle !== undefined) {
    console.log(`skip: ${kind}: ${obstacle}`);
    continue;
  }
  const outcomes = await runAll(kind, files);
  const sum = (key: "passed" | "failed" | "skipped"): number =>
    outcomes.reduce((total, outcome) => total + outcome[key], 0);
  failed += sum("failed");
  rows.push(
    `| ${kind} | ${files.length} | ${sum("passed")} | ${sum("failed")} | ${sum("skipped")} |`,
  );
}
console.log(
  ["| machine | files | passed | failed | skipped |", "| --- | --- | --- | --- | --- |"]
    .concat(rows)
    .join("\n"),
);
process.exitCode = failed === 0 ? 0 : 1;
