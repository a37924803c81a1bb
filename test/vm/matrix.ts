// Runs every file of test/kernel in every machine of bench.ts, prints what came of it, and writes the columns of the machines in
// the table of docs/compatibility.md; `npm test` runs a part of that.
//
//   npm run test:vm [-- [KIND ...] [FILE ...]]      exit status 0 when nothing has failed anywhere

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { machineColumns, writeMatrix } from "../support/cgroup-matrix.ts";
import { type FileOutcome, type MachineKind, obstacleOf, runInMachine } from "./bench.ts";

const root = join(import.meta.dir, "../..");
const kinds: readonly MachineKind[] = ["v2", "v2-newer", "systemd", "systemd-v1"];
/** So many files share a machine: what an emulator that locks up takes with it is no more than that. */
const filesPerMachine = 12;
/** A machine keeps one processor of the host busy. */
const machinesAtATime = Math.min(2, availableParallelism());
const timeoutMs = 40 * 60 * 1000;
const fileTimeoutMs = 10 * 60 * 1000;
/** Of cgroup-cycles.test.ts, in each of the modes of a machine; it has more time than other files. */
const cycles = process.env["TS_RUNC_CYCLES"] ?? "1000";
const cyclesFile = "test/kernel/cgroup-cycles.test.ts";
const cyclesTimeoutMs = 3 * 60 * 60 * 1000;

type Share = { readonly kind: MachineKind; readonly files: readonly string[] };

/** What each machine gets: the cycles, which take longest, alone and first. */
function shareOut(kind: MachineKind, files: readonly string[]): readonly Share[] {
  const others = files.filter((file) => file !== cyclesFile);
  const shares: Share[] = files.includes(cyclesFile) ? [{ kind, files: [cyclesFile] }] : [];
  for (let at = 0; at < others.length; at += filesPerMachine) {
    shares.push({ kind, files: others.slice(at, at + filesPerMachine) });
  }
  return shares;
}

/** Runs the shares, as many at a time as the host has processors for. */
async function runAll(shares: readonly Share[]): Promise<ReadonlyMap<MachineKind, FileOutcome[]>> {
  const outcomes = new Map<MachineKind, FileOutcome[]>();
  const queue = [...shares];
  const worker = async (): Promise<void> => {
    for (let share = queue.shift(); share !== undefined; share = queue.shift()) {
      const ran = await runShare(share);
      outcomes.set(share.kind, [...(outcomes.get(share.kind) ?? []), ...ran]);
    }
  };
  await Promise.all(Array.from({ length: machinesAtATime }, worker));
  return outcomes;
}

/** Runs some files in one machine; those that one that dies leaves, which is seldom ours to mend, get another one. */
async function runShare({ kind, files }: Share): Promise<FileOutcome[]> {
  const first = await runOnce(kind, files);
  const left = first.filter(({ ended }) => !ended).map(({ file }) => file);
  if (left.length === 0) return first;
  return [...first.filter(({ ended }) => ended), ...(await runOnce(kind, left))];
}

async function runOnce(kind: MachineKind, files: readonly string[]): Promise<FileOutcome[]> {
  const long = files.includes(cyclesFile);
  const run = await runInMachine({
    kind,
    files,
    timeoutMs: long ? cyclesTimeoutMs : timeoutMs,
    fileTimeoutMs: long ? cyclesTimeoutMs : fileTimeoutMs,
    environment: { TS_RUNC_CYCLES: cycles },
  });
  if (run.failure !== undefined) console.log(`${kind}: ${run.failure}`);
  for (const outcome of run.files) report(kind, outcome);
  return [...run.files];
}

function report(kind: MachineKind, outcome: FileOutcome): void {
  const { file, passed, failed, skipped, seconds, output } = outcome;
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  console.log(`${kind} ${file}: ${counts}, ${seconds.toFixed(1)} s`);
  if (failed > 0) console.log(output);
}

const chosenKinds = process.argv.slice(2).filter((word) => word in machineColumns);
const chosenFiles = process.argv.slice(2).filter((word) => !(word in machineColumns));
const files = [...new Bun.Glob("test/kernel/**/*.test.ts").scanSync(root)]
  // A soak looks for rare events by number of tries; an emulated processor makes minutes of it and adds nothing.
  .filter((file) => !file.endsWith("-soak.test.ts"))
  .filter((file) => chosenFiles.length === 0 || chosenFiles.some((part) => file.includes(part)))
  .sort();
const wanted = kinds.filter((one) => chosenKinds.length === 0 || chosenKinds.includes(one));
const shares: Share[] = [];
for (const kind of wanted) {
  const obstacle = obstacleOf(kind);
  if (obstacle === undefined) shares.push(...shareOut(kind, files));
  else console.log(`skip: ${kind}: ${obstacle}`);
}
let failed = 0;
const rows: string[] = [];
for (const [kind, outcomes] of await runAll(shares)) {
  writeMatrix({ mode: machineColumns[kind], outcomes });
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
