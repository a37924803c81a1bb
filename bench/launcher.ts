// Starts programs and measures how long they take, all in the same way; not which programs, nor what the numbers mean.

import { closeSync, ftruncateSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { fcntlCommands } from "../src/abi/file.ts";
import { prctlOptions, signals, waitOptions, waitTypes } from "../src/abi/process.ts";
import { pollEvents } from "../src/abi/socket.ts";
import { readField, siginfo } from "../src/abi/struct.ts";
import { execute, executeForOutput, must } from "../src/ffi/execute.ts";
import { spawn } from "../src/ffi/spawn.ts";
import { fcntl } from "../src/syscall/files.ts";
import { kill, pidfdOpen, prctl, waitid } from "../src/syscall/processes.ts";
import { ppoll } from "../src/syscall/sockets.ts";

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
  const output = openSync(join(directory, "output"), "a+");
  const nothing = openSync("/dev/null", "r");
  const descriptors = [nothing, output, output].map((fd, to) => ({ from: moveUp(fd), to }));
  const start = (argv: readonly string[]): number => {
    const [path = ""] = argv;
    return spawn({ path, argv, env: environment, descriptors, doing: `starting ${path}` });
  };
  return {
    start,
    reap,
    run: (argv) => {
      const before = Bun.nanoseconds();
      const pid = start(argv);
      waitForEnd(pid);
      const milliseconds = (Bun.nanoseconds() - before) / 1e6;
      return { milliseconds, status: reap(pid), output: takeOutput(output) };
    },
    [Symbol.dispose]: () => {
      for (const fd of [output, nothing, ...descriptors.map(({ from }) => from)]) closeSync(fd);
    },
  };
}

function moveUp(fd: number): number {
  return must(fcntl(fd, fcntlCommands.F_DUPFD_CLOEXEC, descriptorsFrom), "moving a descriptor");
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

/** Reads what has been written since the last time, and empties the file. */
function takeOutput(fd: number): string {
  const buffer = Buffer.alloc(outputMaxBytes);
  const size = readSync(fd, buffer, 0, outputMaxBytes, 0);
  if (size > 0) ftruncateSync(fd, 0);
  return buffer.subarray(0, size).toString();
}
