// Runs every uvu file in a Bun process of its own and ends with the line `N passed, N failed`; it tests nothing itself.
//
//   scripts/bun test/run.ts [part of a path ...]
//
// With TS_RUNC_WRITE_MATRIX set, what it sees of cgroups is written into the table of docs/compatibility.md and not compared with it.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { matrixFaults, readCompatibility, writeMatrix } from "./support/cgroup-matrix.ts";

type Outcome = {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  /** What has failed in it, each as uvu names it; also in a machine, whose files uvu reports inside. */
  readonly failures: readonly string[];
};

/** A test file that is not done by then is killed and counts as failed. */
const timeoutMs = 25 * 60 * 1000;
const root = join(import.meta.dir, "..");

async function main(): Promise<number> {
  const wanted = process.argv.slice(2);
  const files = [...new Bun.Glob("test/**/*.test.ts").scanSync(root)]
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .sort();
  // Files that need root share kernel state (cgroups, mounts): they run one at a time, after the pure ones.
  const serial = files.filter((file) => /^test\/(kernel|vm)\//.test(file));
  const parallel = files.filter((file) => !serial.includes(file));
  const outcomes = [...(await runAll(parallel, 2)), ...(await runAll(serial, 1))];
  const slowest = [...outcomes].sort((a, b) => b.seconds - a.seconds).slice(0, 5);
  for (const { file, seconds } of slowest) console.log(`slow: ${seconds.toFixed(1)} s ${file}`);
  for (const { file, failed, failures } of outcomes) {
    if (failed > 0) console.log([`failed: ${file}`, ...failures].join("\n        "));
  }
  const sum = (key: "passed" | "failed" | "skipped") =>
    outcomes.reduce((total, outcome) => total + outcome[key], 0);
  const skipped = sum("skipped");
  const tail = skipped === 0 ? "" : `, ${skipped} skipped`;
  const isTrue = checkMatrix(outcomes);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed${tail}`);
  return sum("failed") > 0 || outcomes.length === 0 || !isTrue ? 1 : 0;
}

/** Only a host with cgroup v1 and root is what the table's first column is about. */
function checkMatrix(outcomes: readonly Outcome[]): boolean {
  if (existsSync("/sys/fs/cgroup/cgroup.controllers") || process.getuid?.() !== 0) return true;
  const ran = { mode: "host, v1", outcomes } as const;
  if (process.env["TS_RUNC_WRITE_MATRIX"] !== undefined) writeMatrix(ran);
  const faults = matrixFaults(readCompatibility(), ran);
  for (const fault of faults) console.log(`docs/compatibility.md: ${fault}`);
  return faults.length === 0;
}

async function runAll(files: readonly string[], width: number): Promise<Outcome[]> {
  const queue = [...files];
  const outcomes: Outcome[] = [];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      outcomes.push(await runFile(file));
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return outcomes;
}

async function runFile(file: string): Promise<Outcome> {
  const temporary = mkdtempSync(join(tmpdir(), "ts-runc-test-"));
  const started = performance.now();
  const child = Bun.spawn([process.execPath, file], {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary, FORCE_COLOR: "0", NO_COLOR: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const status = await child.exited;
  rmSync(temporary, { recursive: true, force: true });
  const seconds = (performance.now() - started) / 1000;
  // The file's own summary is the last one: a failure may quote another's.
  const count = (name: string): number =>
    Number([...output.matchAll(new RegExp(`^\\s*${name}:\\s+(\\d+)`, "gm"))].at(-1)?.[1] ?? 0);
  const total = count("Total");
  const passed = count("Passed");
  // A file that dies, or runs nothing, has failed even if no single test said so.
  const silent = total === 0 && count("Skipped") === 0;
  const failed = Math.max(total - passed, status !== 0 || silent ? 1 : 0);
  console.log(
    `${failed === 0 ? "ok  " : "FAIL"} ${file} (${passed}/${total}, ${seconds.toFixed(1)} s)`,
  );
  if (failed > 0) console.log(`${output}${errors}\nexit status ${status}`);
  const skips = [...output.matchAll(/^skip: .*$/gm)].map((match) => match[0]);
  for (const line of skips) console.log(`     ${line}`);
  const failures = new Set([...output.matchAll(/^ *FAIL +(.*)$/gm)].map((match) => match[1] ?? ""));
  return { file, passed, failed, skipped: count("Skipped"), seconds, failures: [...failures] };
}

process.exitCode = await main();
