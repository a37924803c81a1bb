// Runs one hook to its end: the container's state on its standard input, its words kept for the error, its time limited; not
// which hooks run when, nor where (container/hooks.ts).

import { closeRangeFlags, lastFd, memfdFlags, openFlags } from "../abi/file.ts";
import { signals, waitOptions, waitTypes } from "../abi/process.ts";
import { pollEvents } from "../abi/socket.ts";
import { readField, siginfo } from "../abi/struct.ts";
import { debug } from "../base/debug.ts";
import { errnoText } from "../base/errno-text.ts";
import { FaultError, raise } from "../base/fault.ts";
import { execute, executeForOutput, must, mustForOutput } from "../ffi/execute.ts";
import { spawn } from "../ffi/spawn.ts";
import { chdir, closeRange, memfdCreate, pipe2, read } from "../syscall/files.ts";
import { pidfdOpen, pidfdSendSignal, prlimit, waitid } from "../syscall/processes.ts";
import { readCallerOpenFiles, readOpenFiles } from "./facts.ts";
import { type OwnedFd, openFile, own, writeAll } from "./files.ts";
import { waitForAny } from "./poll.ts";

/** What becomes standard input, output and error of the hook's process. */
export type Streams = readonly [input: number, output: number, errors: number];

export type HookRun = {
  /** What is executed; for the error. */
  readonly path: string;
  /** What the hook finds on its standard input. */
  readonly state: string;
  /** In seconds; undefined when the hook may take as long as it likes. */
  readonly timeoutS: number | undefined;
  /** Files that get what the hook writes, appended; otherwise it is kept for the error. */
  readonly files: { readonly output: string | undefined; readonly errors: string | undefined };
  /** Starts the hook's process, a child of ours, and returns its pid. */
  readonly start: (streams: Streams) => number;
};

/**
 * Runs the hook. Run by the runtime.
 *
 * Only the hook's own process is waited for: one that it leaves in the background may keep the pipes open.
 *
 * @throws `refused` fault, in runc's words, when it cannot be executed, fails or takes longer than it may; what `start` throws
 */
export function runHook({ path, state, timeoutS, files, start }: HookRun): void {
  using input = stateFile(state);
  using output = openOutput(files.output);
  using errors = openOutput(files.errors);
  const pid = startOrRefuse(path, () => start([input.fd, output.theirs.fd, errors.theirs.fd]));
  output.theirs[Symbol.dispose]();
  errors.theirs[Symbol.dispose]();
  using pidfd = own(must(pidfdOpen(pid), "watching the hook"));
  const timedOut = !attend(pidfd, { output, errors }, timeoutS);
  const how = reap(pid);
  debug(() => `hook: process ${pid} has ended: ${how ?? "success"}`);
  if (timedOut) {
    const limit = (timeoutS ?? 0).toFixed(1);
    raise({ kind: "refused", message: `hook ran past specified timeout of ${limit}s` });
  }
  if (how === undefined) return;
  const said = `stdout: ${output.text()}, stderr: ${errors.text()}`;
  raise({ kind: "refused", message: `error running hook: ${how}, ${said}` });
}

/** Puts runc's words in the place of a fault that says that the hook cannot be executed. */
function startOrRefuse(path: string, start: () => number): number {
  try {
    return start();
  } catch (error) {
    const fault = error instanceof FaultError ? error.fault : undefined;
    if (fault?.kind !== "syscall" || !executing.includes(fault.call)) throw error;
    const message = `fork/exec ${path}: ${errnoText(fault.errno)}`;
    return raise({ kind: "refused", message }, error);
  }
}

const executing: readonly string[] = ["posix_spawn", "execve"];

/**
 * Starts a hook's program as it is, in the runtime's namespaces and in the bundle, with nothing but its streams.
 *
 * @throws `syscall` fault
 */
export function spawnHook(
  program: {
    readonly path: string;
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
  },
  streams: Streams,
): number {
  const { path, args, env, cwd } = program;
  // Nothing of ours is relative to the working directory any more. A bundle that has been taken away is no reason to fail.
  execute(chdir(cwd));
  // What the container gets from the caller is not the hook's.
  must(closeRange(3, lastFd, closeRangeFlags.CLOSE_RANGE_CLOEXEC), "keeping descriptors back");
  const own = readOpenFiles();
  const limit = (soft: bigint): number =>
    execute(prlimit(0, { type: "RLIMIT_NOFILE", soft, hard: own.hard }));
  const { soft } = readCallerOpenFiles();
  // Bun has raised it for us; a hook that counts on select(2), or closes all that it could have, has the caller's.
  if (soft < own.soft) limit(soft);
  try {
    return spawn({
      path,
      argv: args,
      env,
      descriptors: streams.map((from, to) => ({ from, to })),
      doing: "starting the hook",
    });
  } finally {
    if (soft < own.soft) limit(own.soft);
  }
}

/** A file in memory that is read from its beginning: a pipe would have to be filled while the hook runs. */
function stateFile(state: string): OwnedFd {
  const doing = "giving the hook the container's state";
  using written = own(must(memfdCreate("hook-state", memfdFlags.MFD_CLOEXEC), doing));
  writeAll(written.fd, state, doing);
  return openFile(`/proc/self/fd/${written.fd}`, { flags: 0, doing });
}

/** What is kept of a stream for the error: the end of it. */
const keptBytes = 32 * 1024;
const readBytes = 16 * 1024;

type Output = Disposable & {
  /** The end that the hook writes to. */
  readonly theirs: OwnedFd;
  /** The end that we read from; -1 when there is nothing to be read. */
  readonly fd: () => number;
  /** Reads what is there; at the end of the file there is nothing to be read any more. */
  readonly take: () => void;
  readonly text: () => string;
};

function openOutput(path: string | undefined): Output {
  const doing = "opening the output of the hook";
  if (path !== undefined) {
    const flags = openFlags.O_WRONLY | openFlags.O_APPEND | openFlags.O_CREAT;
    const theirs = openFile(path, { flags, mode: 0o700, doing });
    return output(theirs, undefined);
  }
  const { output: pair } = mustForOutput(pipe2(openFlags.O_CLOEXEC), doing);
  const [ours = -1, theirs = -1] = new Int32Array(pair.buffer);
  return output(own(theirs), own(ours));
}

function output(theirs: OwnedFd, ours: OwnedFd | undefined): Output {
  let kept: Uint8Array = new Uint8Array();
  let open = ours !== undefined;
  return {
    theirs,
    fd: () => (open && ours !== undefined ? ours.fd : -1),
    take: () => {
      const answer = executeForOutput(read(ours?.fd ?? -1, readBytes));
      if (answer.result <= 0) open = false;
      else kept = lastOf(kept, answer.output.subarray(0, answer.result));
    },
    text: () => new TextDecoder().decode(kept),
    [Symbol.dispose]: () => {
      theirs[Symbol.dispose]();
      ours?.[Symbol.dispose]();
    },
  };
}

function lastOf(kept: Uint8Array, more: Uint8Array): Uint8Array {
  const all = new Uint8Array(kept.length + more.length);
  all.set(kept);
  all.set(more, kept.length);
  return all.length > keptBytes ? all.subarray(all.length - keptBytes) : all;
}

/** Long enough to be rare, short enough for poll(2). */
const longestWaitMs = 3_600_000;

/** So often is read behind the end: all that the largest pipe of an unprivileged process holds. */
const lastReads = (1024 * 1024) / readBytes;

/** Reads what the hook says until it has ended; returns whether it did so by itself. */
function attend(
  pidfd: OwnedFd,
  { output, errors }: { readonly output: Output; readonly errors: Output },
  timeoutS: number | undefined,
): boolean {
  const deadline = timeoutS === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutS * 1000;
  const { POLLIN } = pollEvents;
  for (let killed = false, ended = false, readsLeft = lastReads; ; ) {
    const leftMs = killed ? longestWaitMs : Math.min(deadline - Date.now(), longestWaitMs);
    const wanted = [output.fd(), errors.fd(), ended ? -1 : pidfd.fd].map((fd) => ({
      fd,
      events: POLLIN,
    }));
    const [said = 0, complained = 0, end = 0] = waitForAny(wanted, ended ? 0 : Math.max(leftMs, 0));
    if (said !== 0) output.take();
    if (complained !== 0) errors.take();
    // What it had said before it ended is still to be read; what it has left behind may go on writing for ever.
    if (ended && ((said === 0 && complained === 0) || readsLeft === 0)) return !killed;
    if (ended) readsLeft -= 1;
    if (end !== 0) ended = true;
    if (!ended && !killed && Date.now() >= deadline) {
      must(pidfdSendSignal(pidfd.fd, signals.SIGKILL), "ending the hook");
      killed = true;
    }
  }
}

const CLD_EXITED = 1;
const CLD_DUMPED = 3;

/** Go's words for the signals that end a process. */
const signalWords: Readonly<Record<number, string>> = {
  [signals.SIGHUP]: "hangup",
  [signals.SIGINT]: "interrupt",
  [signals.SIGQUIT]: "quit",
  [signals.SIGILL]: "illegal instruction",
  [signals.SIGTRAP]: "trace/breakpoint trap",
  [signals.SIGABRT]: "aborted",
  [signals.SIGBUS]: "bus error",
  [signals.SIGFPE]: "floating point exception",
  [signals.SIGKILL]: "killed",
  [signals.SIGUSR1]: "user defined signal 1",
  [signals.SIGSEGV]: "segmentation fault",
  [signals.SIGUSR2]: "user defined signal 2",
  [signals.SIGPIPE]: "broken pipe",
  [signals.SIGALRM]: "alarm clock",
  [signals.SIGTERM]: "terminated",
  [signals.SIGSTKFLT]: "stack fault",
  [signals.SIGXCPU]: "CPU time limit exceeded",
  [signals.SIGXFSZ]: "file size limit exceeded",
  [signals.SIGVTALRM]: "virtual timer expired",
  [signals.SIGPROF]: "profiling timer expired",
  [signals.SIGIO]: "I/O possible",
  [signals.SIGPWR]: "power failure",
  [signals.SIGSYS]: "bad system call",
};

/** Go's words for how a process ended; undefined for success. */
function reap(pid: number): string | undefined {
  const call = waitid(waitTypes.P_PID, pid, waitOptions.WEXITED | waitOptions.__WALL);
  const { output: info } = mustForOutput(call, "waiting for the hook");
  const status = readField(siginfo, info, "si_status");
  const code = readField(siginfo, info, "si_code");
  if (code !== CLD_EXITED) {
    const dumped = code === CLD_DUMPED ? " (core dumped)" : "";
    return `signal: ${signalWords[status] ?? `signal ${status}`}${dumped}`;
  }
  return status === 0 ? undefined : `exit status ${status}`;
}
