// Starts programs and measures how long they take, all in the same way; not which programs, nor what the numbers mean.

import { closeSync, constants, ftruncateSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { fcntlCommands } from "../src/abi/file.ts";
import { prctlOptions, signals, waitOptions, waitTypes } from "../src/abi/process.ts";
import { pollEvents } from "../src/abi/socket.ts";
import { readField, siginfo } from "../src/abi/struct.ts";
import { execute, executeForOutput, must } from "../src/ffi/execute.ts";
import { spawn } from "../src/ffi/spawn.ts";
import { fcntl, read } from "../src/syscall/files.ts";
import { kill, pidfdOpen, prctl, waitid } from "../src/syscall/processes.ts";
import { ppoll } from "../src/syscall/sockets.ts";
import { openPeer, setWindowSize, unlockPeer } from "../src/syscall/terminals.ts";

export type Timed = {
  readonly milliseconds: number;
  /** Exit status; 128 and the signal where one ended it. */
  readonly status: number;
  /** What it and its container wrote to stdout and stderr. */
  readonly output: string;
};

export type Launcher = Disposable & {
  /** Runs a program to its end. */
  readonly run: (argv: readonly string[]) => Timed;
  /** The same with a terminal as its standard streams; what is written to that is the output. */
  readonly runInTerminal: (argv: readonly string[]) => Timed;
  /** Starts a program and returns its pid; `reap` waits for it. */
  readonly start: (argv: readonly string[]) => number;
  /** Waits for a child, or for an orphan that has come to us; returns its exit status. */
  readonly reap: (pid: number) => number;
};

const patienceMs = 60_000;
const outputMaxBytes = 64 * 1024;
/** Out of the way of the standard streams that they become. */
const descriptorsFrom = 100;
const environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"];

/**
 * Opens a launcher. It makes this process a subreaper: the init of a container comes to us when the runtime that has made it
 * exits, as it comes to containerd's shim, so that its end does not wait for somebody else's attention.
 *
 * Bun.spawnSync is not used: its pipes and its event loop take as long as a small command. The time that is taken begins
 * before posix_spawn(3) and ends when ppoll(2) on the child's pidfd returns; nothing is subtracted.
 */
export function openLauncher(directory: string): Launcher {
  must(prctl(prctlOptions.PR_SET_CHILD_SUBREAPER, 1), "becoming a subreaper");
  const output = moveUp(openSync(join(directory, "output"), "a+"));
  const nothing = moveUp(openSync("/dev/null", "r"));
  const descriptors = [nothing, output, output].map((from, to) => ({ from, to }));
  const startWith = (argv: readonly string[], streams: typeof descriptors): number => {
    const [path = ""] = argv;
    return spawn({
      path,
      argv,
      env: environment,
      descriptors: streams,
      doing: `starting ${path}`,
    });
  };
  const runWith = (argv: readonly string[], streams: typeof descriptors): Omit<Timed, "output"> => {
    const before = Bun.nanoseconds();
    const pid = startWith(argv, streams);
    waitForEnd(pid);
    const milliseconds = (Bun.nanoseconds() - before) / 1e6;
    return { milliseconds, status: reap(pid) };
  };
  return {
    start: (argv) => startWith(argv, descriptors),
    reap,
    run: (argv) => ({ ...runWith(argv, descriptors), output: takeOutput(output) }),
    runInTerminal: (argv) => {
      const { master, peer } = openTerminal();
      const timed = runWith(
        argv,
        [0, 1, 2].map((to) => ({ from: peer, to })),
      );
      closeSync(peer);
      const text = readRest(master);
      closeSync(master);
      return { ...timed, output: text };
    },
    [Symbol.dispose]: () => {
      for (const fd of [output, nothing]) closeSync(fd);
    },
  };
}

/** Moves a descriptor up, and closes it where it was. */
function moveUp(fd: number): number {
  const moved = must(
    fcntl(fd, fcntlCommands.F_DUPFD_CLOEXEC, descriptorsFrom),
    "moving a descriptor",
  );
  closeSync(fd);
  return moved;
}

function waitForEnd(pid: number): void {
  const pidfd = must(pidfdOpen(pid), "opening a child");
  const ended = execute(ppoll(pidfd, pollEvents.POLLIN, patienceMs));
  closeSync(pidfd);
  if (ended > 0) return;
  execute(kill(pid, signals.SIGKILL));
  throw new Error(`a program has not ended after ${patienceMs / 1000} s`);
}

const CLD_EXITED = 1;

function reap(pid: number): number {
  waitForEnd(pid);
  const options = waitOptions.WEXITED | waitOptions.__WALL;
  const { result, output } = executeForOutput(waitid(waitTypes.P_PID, pid, options));
  if (result < 0) throw new Error(`process ${pid} is no child of this one`);
  const status = readField(siginfo, output, "si_status");
  return readField(siginfo, output, "si_code") === CLD_EXITED ? status : 128 + status;
}

/** A terminal of 80 columns and 24 rows. */
function openTerminal(): { readonly master: number; readonly peer: number } {
  const master = moveUp(openSync("/dev/ptmx", constants.O_RDWR | constants.O_NOCTTY));
  must(unlockPeer(master), "unlocking a terminal");
  const peer = moveUp(must(openPeer(master), "opening a terminal"));
  must(setWindowSize(peer, { columns: 80, rows: 24 }), "giving a terminal its size");
  return { master, peer };
}

/** Reads what is there to be read; the far end is closed. */
function readRest(master: number): string {
  const { result, output } = executeForOutput(read(master, outputMaxBytes));
  return result > 0 ? new TextDecoder().decode(output.subarray(0, result)) : "";
}

/** Reads what has been written since the last time, and empties the file. */
function takeOutput(fd: number): string {
  const buffer = Buffer.alloc(outputMaxBytes);
  const size = readSync(fd, buffer, 0, outputMaxBytes, 0);
  if (size > 0) ftruncateSync(fd, 0);
  return buffer.subarray(0, size).toString();
}
