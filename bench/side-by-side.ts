// Compares ts-runc with Debian's runc and crun on this machine, and prints a table; needs root.
//
//   scripts/bun bench/side-by-side.ts [--quick] [--rounds N] [--json FILE]
//
// Every round takes each runtime in turn through the life of a container. Figures are medians, in brackets the minimum. They
// hold for the machine, the kernel and the load that are printed with them: compare within one table, not between two.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readCgroupHost } from "../src/host/cgroups/host.ts";
import { makeBundles } from "./bundles.ts";
import { helpCrun } from "./cgroup-host.ts";
import {
  compareCold,
  compareCommands,
  compareLists,
  compareMemory,
  type Row,
  type Setting,
} from "./comparison.ts";
import { compileEmptyProgram } from "./empty-program.ts";
import { openLauncher } from "./launcher.ts";
import { clearAway, findObstacle, findRuntimes, type Runtime } from "./runtimes.ts";
import { printTable } from "./table.ts";

type Options = { readonly rounds: number; readonly few: number; readonly json?: string };

/** Half of the processors busy: then medians are other people's. */
const highLoad = 0.5;
const prefix = `ts-runc-bench-${process.pid}-`;

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean" },
      rounds: { type: "string" },
      json: { type: "string" },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick === true ? 7 : 51));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}?`);
  const few = values.quick === true ? 1 : 5;
  return { rounds, few, ...(values.json === undefined ? {} : { json: values.json }) };
}

async function main(options: Options): Promise<number> {
  if (process.geteuid?.() !== 0) {
    console.error("making containers needs root: run npm run bench as root");
    return 1;
  }
  const directory = mkdtempSync(join(tmpdir(), "ts-runc-bench-"));
  const runtimes = findRuntimes(directory);
  let leftovers: readonly string[] = [];
  try {
    using undo = new DisposableStack();
    const help = undo.use(helpCrun());
    // Before the hierarchy is taken back: groups in it go first.
    undo.defer(() => {
      leftovers = clearAway(runtimes, { directory, prefix });
    });
    await compare({ options, directory, runtimes, note: help.done });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  for (const leftover of leftovers) console.error(`left behind: ${leftover}`);
  return leftovers.length === 0 ? 0 : 1;
}

async function compare(what: {
  readonly options: Options;
  readonly directory: string;
  readonly runtimes: readonly Runtime[];
  readonly note: string | undefined;
}): Promise<void> {
  const { options, directory, note } = what;
  const { rounds, few } = options;
  const machine = describeMachine(what.runtimes);
  for (const line of [...machine, ...(note === undefined ? [] : [note])]) console.log(line);
  warnOfLoad();
  using launcher = openLauncher(directory);
  const writer = what.runtimes.find(({ name }) => name === "runc") ?? what.runtimes[0];
  const bundles = makeBundles(directory, writer?.executable ?? "");
  let count = 0;
  const newId = (): string => {
    count += 1;
    return `${prefix}${count}`;
  };
  const runtimes = what.runtimes.filter((runtime) => {
    const obstacle = findObstacle(launcher, { runtime, bundles, id: newId() });
    if (obstacle === undefined) return true;
    if (runtime.name === "ts-runc") throw new Error(`ts-runc runs no container: ${obstacle}`);
    console.log(`${runtime.name} is left out: ${obstacle}`);
    return false;
  });
  const emptyProgram = compileEmptyProgram(directory);
  const setting: Setting = { launcher, runtimes, bundles, emptyProgram, newId, breathe };
  const rows: readonly Row[] = [
    ...(await compareCommands(setting, rounds)),
    ...(await compareLists(setting, few)),
    ...(await compareCold(setting, Math.ceil(rounds / 4))),
    ...(await compareMemory(setting, few)),
  ];
  console.log(`\n${rounds} rounds; median (minimum)\n\n${printTable(rows)}`);
  warnOfLoad();
  if (options.json === undefined) return;
  writeFileSync(options.json, `${JSON.stringify({ machine, rounds, rows }, undefined, 2)}\n`);
}

function describeMachine(runtimes: readonly Runtime[]): readonly string[] {
  const [kernel = ""] = /^[\d.]+/.exec(release()) ?? [];
  const model = cpus()[0]?.model ?? "unknown";
  return [
    new Date().toISOString().slice(0, 16).replace("T", " "),
    `Linux ${kernel} ${process.arch}, ${availableParallelism()} x ${model}`,
    `cgroup ${readCgroupHost().version}, load average ${readLoad()}`,
    ...runtimes.map(({ version }) => version),
  ];
}

/** The load of the last minute. */
function readLoad(): number {
  return Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
}

function warnOfLoad(): void {
  const load = readLoad();
  if (load <= highLoad * availableParallelism()) return;
  console.log(
    `warning: the load average is ${load}: others use this machine, the figures are theirs too`,
  );
}

let interrupted = false;

async function breathe(): Promise<void> {
  await Bun.sleep(0);
  if (interrupted) throw new Error("interrupted");
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    interrupted = true;
  });
}
process.exitCode = await main(readOptions());
