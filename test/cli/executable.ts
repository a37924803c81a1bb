// Runs the compiled executable, built when it is out of date, and Debian's runc where it is there, for the tests.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildOnce } from "../../scripts/build.ts";

export type Outcome = {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type RunOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
};

/** The machine of test/vm is given what the host has built: it has neither Git nor the time. */
export const executable =
  process.env["TS_RUNC_MACHINE"] === undefined
    ? buildOnce()
    : join(import.meta.dir, "../../dist/ts-runc");
export const runc = ["/usr/sbin/runc", "/usr/bin/runc"].find((path) => existsSync(path));

const timeoutMs = 60_000;

/** Runs ts-runc. */
export function tsRunc(argv: readonly string[], options: RunOptions = {}): Outcome {
  return runProgram([executable, ...argv], options);
}

export function runProgram(argv: readonly string[], options: RunOptions = {}): Outcome {
  const child = Bun.spawnSync([...argv], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...(options.env ?? { PATH: process.env["PATH"] ?? "" }) },
    stdin: "ignore",
    timeout: timeoutMs,
  });
  const { exitCode: status, stdout, stderr } = child;
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Runs a program on a terminal of its own, which all its streams are; returns what it has shown there. */
export async function runOnTerminal(
  argv: readonly string[],
  options: RunOptions = {},
): Promise<{ readonly status: number; readonly shown: string }> {
  let shown = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn([...argv], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { PATH: process.env["PATH"] ?? "", TERM: "xterm", ...options.env },
    timeout: timeoutMs,
    terminal: {
      cols: 200,
      rows: 50,
      data: (_, bytes) => {
        shown += decoder.decode(bytes, { stream: true });
      },
    },
  });
  const status = await child.exited;
  // What was written last may still be on its way.
  for (let quiet = ""; quiet !== shown; await Bun.sleep(20)) quiet = shown;
  child.terminal?.close();
  return { status, shown: shown.replaceAll("\r", "") };
}

/** The messages of logrus text lines, unquoted. */
export function logMessages(stderr: string): string[] {
  return [...stderr.matchAll(/level=error msg=("(?:[^"\\]|\\.)*"|\S+)$/gm)].map(([, text = ""]) =>
    text.startsWith('"') ? unquote(text) : text,
  );
}

/** Go's quotes are JSON's, but for a byte that is no text, `\xff`. */
function unquote(text: string): string {
  return String(
    JSON.parse(text.replace(/\\(x|.)/g, (all, next) => (next === "x" ? "\\u00" : all))),
  );
}
