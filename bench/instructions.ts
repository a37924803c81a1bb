// Counts the instructions of each command with valgrind's cachegrind: the same on a busy machine and on a quiet one, to a
// percent, so that it shows what the clock does not. It sees user space only, not the kernel's work, nor the stub's. Needs root.
//
//   scripts/bun bench/instructions.ts [EXECUTABLE]

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildOnce } from "../scripts/build.ts";
import { makeBundles } from "./bundles.ts";
import { compileEmptyProgram } from "./empty-program.ts";

export const valgrind = "/usr/bin/valgrind";

/**
 * What is counted, in the order of a container's life, and how much more than an empty program it may take, in millions. Not
 * `kill` and `run`: valgrind 3.19 knows no pidfd_open(2).
 */
export const counted = [
  { name: "--version", above: 3.8 },
  { name: "create", above: 34 },
  { name: "state", above: 5.3 },
  { name: "start", above: 7.9 },
  { name: "delete", above: 6.5 },
] as const;

export type Counts = {
  /** Millions of instructions of an empty compiled program. */
  readonly empty: number;
  /** Millions of each command, by its name. */
  readonly commands: ReadonlyMap<string, number>;
};

/** Takes a container through its life with each command counted. */
export function countCommands(executable: string): Counts {
  const directory = mkdtempSync(join(tmpdir(), "instructions-"));
  try {
    const { lasting } = makeBundles(directory, executable);
    const log = join(directory, "log");
    const root = ["--root", join(directory, "state")];
    const id = `counted-${process.pid}`;
    const commands = new Map<string, number>();
    try {
      for (const { name } of counted) {
        if (name === "delete") stop([executable, ...root], id);
        const operands = name === "create" ? ["--bundle", lasting, id] : [id];
        const argv = name === "--version" ? [name] : [...root, name, ...operands];
        commands.set(name, count([executable, ...argv], log));
      }
    } finally {
      run([executable, ...root, "delete", "--force", id]);
    }
    return { empty: count([compileEmptyProgram(directory)], log), commands };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs a program to its end and returns its instructions, in millions. */
function count(argv: readonly string[], log: string): number {
  const options = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"];
  const status = run([valgrind, ...options, `--log-file=${log}`, ...argv]);
  const refs = /I +refs: +([\d,]+)/.exec(readFileSync(log, "utf8"))?.[1];
  if (status !== 0 || refs === undefined) throw new Error(`${argv.join(" ")}: status ${status}`);
  return Number(refs.replaceAll(",", "")) / 1e6;
}

/** Kills the container's process, not counted, and waits until it is gone. */
function stop(command: readonly string[], id: string): void {
  run([...command, "kill", id, "KILL"]);
  const patienceMs = 10_000;
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += 20) {
    const state = Bun.spawnSync([...command, "state", id]).stdout.toString();
    if (state.includes('"stopped"')) return;
    Bun.sleepSync(20);
  }
  throw new Error("the container does not stop");
}

function run(argv: readonly string[]): number {
  return Bun.spawnSync([...argv], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exitCode;
}

if (import.meta.main) {
  if (!existsSync(valgrind)) throw new Error("valgrind is missing: apt-get install valgrind");
  const { empty, commands } = countCommands(process.argv[2] ?? buildOnce());
  console.log(`${"empty program".padEnd(16)}${empty.toFixed(1).padStart(6)} million instructions`);
  for (const [name, millions] of commands) {
    console.log(
      `${name.padEnd(16)}${millions.toFixed(1).padStart(6)}   ${(millions - empty).toFixed(1).padStart(6)} above`,
    );
  }
}
