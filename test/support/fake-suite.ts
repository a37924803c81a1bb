// Small fake checkouts of foreign suites, whose programs are in the shell's words, and a runtime that only takes notes.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as assert from "uvu/assert";
import { type Outcome, runProgram } from "../cli/executable.ts";
import { root } from "./source-tree.ts";

/** Holds checkouts and what they need; the test file removes it. */
export const directory = mkdtempSync(join(tmpdir(), "adapters-"));
/** Stands first in the PATH of what is run. */
export const tools = join(directory, "tools");
/** A number of seconds that nobody else sleeps. */
export const hang = `${86_400_000 + process.pid}`;

/** A program in the shell's words. */
export function write(path: string, script: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

/** A checkout with these files: programs in the shell's words. */
export function checkout(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, script] of Object.entries(files)) write(join(directory, name, path), script);
  return join(directory, name);
}

/** A runtime that makes a file of each container, and writes down how it was called. */
export const calls = join(directory, "calls");
export const runtime = write(
  join(directory, "fake-runtime"),
  `echo "$@" >>${calls}
[ "$1" = --version ] && echo "runc version fake" && exit
state=${join(directory, "no-root")}
while [ $# -gt 0 ]; do
  case $1 in
    --root) state=$2; shift 2 ;;
    --*) shift ;;
    *) break ;;
  esac
done
mkdir -p "$state"
case $1 in
  create | run) for id do :; done; : >"$state/$id" ;;
  list) ls "$state" ;;
  delete) for id do :; done; rm "$state/$id" ;;
  spec) echo '{}' >config.json ;;
esac`,
);

/** Runs an adapter, whose scratch directory has to be gone then. */
export function run(...argv: readonly string[]): Outcome {
  const path = `${tools}:${process.env["PATH"]}`;
  const temporary = join(directory, "tmp");
  mkdirSync(temporary, { recursive: true });
  const outcome = runProgram([join(root, "conformance/adapters/run"), ...argv], {
    env: { PATH: path, TMPDIR: temporary },
  });
  assert.equal(readdirSync(temporary), [], "the scratch directory is gone");
  return outcome;
}

/** The row of a program in the table. */
export function rowOf(output: string, program: string): string {
  const row = output.split("\n").find((line) => line.startsWith(`| ${program} |`));
  return row ?? `no row of ${program} in:\n${output}`;
}

/** Whether a process is there with this in its arguments. */
export function isRunning(text: string): boolean {
  return readdirSync("/proc").some((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text);
    } catch {
      return false; // It has ended meanwhile.
    }
  });
}
