// What all adapters share: the programs of a foreign suite are run one after the other, each in namespaces of its own, and
// summed up in one table. What the programs are, and how their output is read, each adapter says.

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Check, Report } from "./outputs.ts";

/** What an adapter works with. */
export type Room = {
  /** The suite's source tree, built as it says. */
  readonly checkout: string;
  /** A directory of this run's own, removed at its end. */
  readonly scratch: string;
  /** The runtime under test. */
  readonly runtime: string;
  /** Part of the names of the tests to run within programs, where the suite can choose them. */
  readonly test: string | undefined;
};

export type Program = {
  readonly name: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
};

export type Ended = {
  readonly output: string;
  /** As of a shell: above 128 for a signal. */
  readonly status: number;
};

export type Adapter = {
  readonly says: string;
  readonly timeoutSeconds: number;
  /** Whether `--test` means something. */
  readonly choosesTests: boolean;
  /** What the checkout or the machine lacks: which file, and where it comes from. */
  readonly lacks: (room: Room) => readonly string[];
  /** The programs, as they are called; the room has everything that `lacks` asks for. */
  readonly programs: (room: Room) => readonly Program[];
  readonly read: (ended: Ended) => Report;
};

export type Outcome = Report & { readonly program: string; readonly seconds: number };

export type RunOptions = {
  readonly timeoutSeconds: number;
  readonly tell: (line: string) => void;
  /** A directory for the whole output of each program. */
  readonly output: string | undefined;
};

/** At most so much of a program's output is read: a program that says more than that says nothing. */
const outputLimitBytes = 64 * 1024 * 1024;

/**
 * Runs programs, and removes after each what it has left behind: processes and mounts end with its namespaces, and
 * containers are deleted from every state root that it has used.
 */
export async function runPrograms(
  adapter: Adapter,
  programs: readonly Program[],
  { room, timeoutSeconds, tell, output }: RunOptions & { readonly room: Room },
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const program of programs) {
    const started = performance.now();
    const ended = await runProgram(program, timeoutSeconds);
    const swept = sweep(room);
    const seconds = (performance.now() - started) / 1000;
    if (output !== undefined) {
      writeFileSync(join(output, `${program.name.replaceAll("/", "-")}.txt`), ended.output);
    }
    const outcome = { program: program.name, seconds, ...judge(adapter.read(ended), ended) };
    for (const line of linesOf(outcome)) tell(line);
    for (const id of swept) tell(`    deleted the container ${id}, which it has left behind`);
    outcomes.push(outcome);
  }
  return outcomes;
}

type ProgramEnd = Ended & { readonly timedOutAfterSeconds: number | undefined };

async function runProgram(program: Program, timeoutSeconds: number): Promise<ProgramEnd> {
  const child = Bun.spawn([...inNamespaces, ...program.argv], {
    cwd: program.cwd,
    env: { ...process.env, ...program.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let timedOut = false;
  const watch = setInterval(() => thawEnded(child.pid), 1000);
  const timer = setTimeout(() => {
    timedOut = true;
    // unshare takes the first process of the namespace with it, and that all others.
    child.kill("SIGKILL");
  }, timeoutSeconds * 1000);
  const [output, errors] = await Promise.all([readSome(child.stdout), readSome(child.stderr)]);
  const status = await child.exited;
  clearTimeout(timer);
  clearInterval(watch);
  return {
    output: errors === "" ? output : `${output}\n${errors}`,
    status,
    timedOutAfterSeconds: timedOut ? timeoutSeconds : undefined,
  };
}

/**
 * A program is run with mounts and processes of its own. The shell is its namespace's process 1, which reaps what its
 * children leave behind; as it does something afterwards it stays. Pids are as large as those that tests are used to.
 */
const inNamespaces = [
  // It does not survive us.
  "setpriv",
  "--pdeathsig=KILL",
  "unshare",
  "--mount",
  "--propagation=private",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
  "sh",
  "-c",
  '{ echo 20000 >/proc/sys/kernel/ns_last_pid; } 2>/dev/null; "$@"; exit $?',
  "sh",
];

/**
 * A program that ends takes all its processes with it, but for those in a frozen group of cgroup v1: they die once they are
 * thawed. The group is one of the program's own making, since it holds a process of it.
 *
 * @param unshare the process that waits for the first one of the namespace
 */
function thawEnded(unshare: number): void {
  const [first = ""] = readOr(`/proc/${unshare}/task/${unshare}/children`).split(" ");
  // It has no memory any more once it has ended, and is there until all others have.
  if (first === "" || readOr(`/proc/${first}/cmdline`) !== "") return;
  for (const pid of descendantsOf(first)) {
    const group = /^\d+:freezer:(\/.+)$/m.exec(readOr(`/proc/${pid}/cgroup`));
    if (group === null) continue;
    const directory = `/sys/fs/cgroup/freezer${group[1]}`;
    if (readOr(`${directory}/freezer.state`) !== "FROZEN\n") continue;
    writeFileSync(`${directory}/freezer.state`, "THAWED");
  }
}

/** Whatever the first process of a namespace has left, since orphans become its children. */
function descendantsOf(first: string): readonly string[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => [pid, /^PPid:\t(\d+)$/m.exec(readOr(`/proc/${pid}/status`))?.[1]] as const);
  const found = new Set([first]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent ?? "")) found.add(pid);
  }
  return [...found];
}

/** What a file of proc says; nothing when its process has gone. */
function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function readSome(stream: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    // What is too much is read all the same, so that the program does not wait for us.
    if (bytes <= outputLimitBytes) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** What has come out of a program in all: its own verdicts, unless its end speaks against them. */
function judge(report: Report, { status, timedOutAfterSeconds }: ProgramEnd): Report {
  if (timedOutAfterSeconds !== undefined) {
    return { ...report, trouble: `it was killed after ${timedOutAfterSeconds} s` };
  }
  if (status > 128) {
    const what = `it has died of signal ${status - 128}`;
    return {
      ...report,
      trouble: report.trouble === undefined ? what : `${what}; ${report.trouble}`,
    };
  }
  if (report.trouble !== undefined) {
    return { ...report, trouble: `${report.trouble} (exit status ${status})` };
  }
  if (status === 0 || report.checks.some(({ verdict }) => verdict === "fail")) return report;
  return { ...report, trouble: `exit status ${status}, although no test has failed` };
}

/** Where `wrapRuntime` writes down the state roots that were used. */
function journalOf({ scratch }: Pick<Room, "scratch">): string {
  return join(scratch, "roots");
}

/** The state root for programs that name none. */
export function ownRoot({ scratch }: Pick<Room, "scratch">): string {
  return join(scratch, "state");
}

/**
 * Writes a program that is called instead of the runtime and becomes it: it writes down which state root is used, so
 * that what is left in there can be deleted.
 *
 * @param call what the runtime is called by, in the shell's words, with `"$@"` for the arguments
 */
export function wrapRuntime(room: Room, call = `${quote(room.runtime)} "$@"`): string {
  const directory = join(room.scratch, "bin");
  // Suites show the name of what they call.
  const path = join(directory, room.runtime.slice(room.runtime.lastIndexOf("/") + 1));
  mkdirSync(directory, { recursive: true });
  appendFileSync(journalOf(room), `${ownRoot(room)}\n`);
  const script = `#!/bin/sh
before=
for argument do
  case $before in --root | -root) printf '%s\\n' "$argument" >>${quote(journalOf(room))} ;; esac
  case $argument in --root=* | -root=*) printf '%s\\n' "\${argument#*=}" >>${quote(journalOf(room))} ;; esac
  before=$argument
done
exec ${call}
`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

/** Puts a text into the shell's quotes. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Deletes the containers in the state roots that were used, and returns their ids. Roots outside of our own directory
 * may hold somebody else's and are not looked at. It is done in new namespaces: the pids in the records are those of
 * namespaces that are gone.
 */
function sweep(room: Room): readonly string[] {
  if (!existsSync(journalOf(room))) return [];
  const roots = new Set(readFileSync(journalOf(room), "utf8").split("\n"));
  const call = (root: string, ...argv: readonly string[]) =>
    Bun.spawnSync([...inNamespaces, room.runtime, "--root", root, ...argv], {
      stdin: "ignore",
      timeout: 60_000,
    });
  return [...roots].flatMap((root) => {
    if (!root.startsWith(`${room.scratch}/`) || !existsSync(root)) return [];
    const ids = call(root, "list", "--quiet").stdout.toString().split("\n").filter(Boolean);
    for (const id of ids) call(root, "delete", "--force", id);
    return ids;
  });
}

function count({ checks }: Report, wanted: Check["verdict"]): number {
  return checks.filter(({ verdict }) => verdict === wanted).length;
}

/** Whether a program has done what it should. */
export function hasFailed(outcome: Report): boolean {
  return outcome.trouble !== undefined || count(outcome, "fail") > 0;
}

const shownDetailLines = 12;

function linesOf(outcome: Outcome): readonly string[] {
  const { program, checks, trouble, seconds } = outcome;
  const numbers = `${count(outcome, "pass")} pass, ${count(outcome, "fail")} fail, ${count(outcome, "skip")} skip`;
  const lines = [
    `${hasFailed(outcome) ? "FAIL" : "ok  "} ${program}: ${numbers} (${seconds.toFixed(1)} s)`,
  ];
  if (trouble !== undefined) lines.push(`    ${trouble}`);
  for (const { name, verdict, detail } of checks) {
    if (verdict !== "fail") continue;
    lines.push(`    not ok: ${name}`);
    const shown = detail.split("\n").slice(0, shownDetailLines);
    for (const line of shown) if (line !== "") lines.push(`        ${line}`);
  }
  return lines;
}

/** One row a program, and one for all; a program in trouble counts as one failure more. */
export function summaryTable(outcomes: readonly Outcome[]): readonly string[] {
  const rows = outcomes.map((outcome) => ({
    name: outcome.program,
    pass: count(outcome, "pass"),
    fail: count(outcome, "fail") + (outcome.trouble === undefined ? 0 : 1),
    skip: count(outcome, "skip"),
    note: outcome.trouble ?? "",
  }));
  const sum = (key: "pass" | "fail" | "skip") => rows.reduce((total, row) => total + row[key], 0);
  const all = { name: "all", pass: sum("pass"), fail: sum("fail"), skip: sum("skip"), note: "" };
  return [
    "| program | pass | fail | skip | trouble |",
    "| --- | ---: | ---: | ---: | --- |",
    ...[...rows, all].map(
      ({ name, pass, fail, skip, note }) => `| ${name} | ${pass} | ${fail} | ${skip} | ${note} |`,
    ),
  ];
}
