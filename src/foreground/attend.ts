// Stays with a container in the foreground: forwards our signals to its init, reaps, and learns its exit status.

import { signals, waitOptions, waitTypes } from "../abi/process.ts";
import { pollEvents } from "../abi/socket.ts";
import { readField, siginfo } from "../abi/struct.ts";
import { debug } from "../base/debug.ts";
import { execute, executeForOutput, must } from "../ffi/execute.ts";
import { own } from "../host/files.ts";
import { kill, pidfdOpen, waitid } from "../syscall/processes.ts";
import { ppoll } from "../syscall/sockets.ts";
import { slim } from "./slim.ts";
import type { Turn } from "./turn.ts";

export type Attendant = Disposable & {
  /** Watches init. */
  readonly pidfd: number;
  /**
   * Resolves to the exit status once init has ended.
   *
   * @param turn what to do meanwhile, for a container with a terminal or a service manager to be told of it
   */
  readonly ended: (turn: Turn | undefined) => Promise<number>;
};

/** Not forwarded: what cannot be caught, what is about us, and what faults of our own would send. */
const ownSignals: readonly string[] = [
  "SIGKILL",
  "SIGSTOP",
  "SIGCHLD",
  "SIGURG",
  "SIGWINCH",
  ...["SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS", "SIGSTKFLT"],
];

/** Most containers that are run in the foreground by scripts end at once: so long, nothing but poll is used. */
const briefMs = 20;

/**
 * Begins to forward signals. To be called before the program is started, so that none is lost.
 *
 * @param pid init, a child of ours
 */
export function attend(pid: number): Attendant {
  const pidfd = own(must(pidfdOpen(pid), "watching the container"));
  const forward = (name: string): void => {
    debug(() => `forwarding ${name}`);
    // A signal that init cannot be sent any more has nobody to complain to.
    execute(kill(pid, Number(Reflect.get(signals, name))));
  };
  const names = Object.keys(signals).filter((name) => !ownSignals.includes(name));
  for (const name of names) process.on(name, forward);
  return {
    pidfd: pidfd.fd,
    ended: async (turn) => {
      if (turn !== undefined) {
        // Between turns the event loop sees to signals.
        while (!turn()) {
          reapOthers(pid);
          await Bun.sleep(0);
        }
        return reap(pid);
      }
      const brief = execute(ppoll(pidfd.fd, pollEvents.POLLIN, briefMs));
      if (brief <= 0) {
        slim();
        await untilReadable(pidfd.fd, pid);
      }
      return reap(pid);
    },
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, forward);
      pidfd[Symbol.dispose]();
    },
  };
}

/** Waits in the event loop, which signals need to be seen: SIGCHLD says when to look. */
function untilReadable(pidfd: number, init: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      reapOthers(init);
      if (execute(ppoll(pidfd, pollEvents.POLLIN, 0)) <= 0) return;
      process.off("SIGCHLD", look);
      clearInterval(timer);
      resolve();
    };
    process.on("SIGCHLD", look);
    // Keeps the loop alive, and looks again in case SIGCHLD came before we listened.
    const timer = setInterval(look, 1000);
    look();
  });
}

/** Reaps what the container's processes have left to us; init itself is left for `reap`. */
function reapOthers(init: number): void {
  const { WEXITED, WNOHANG, WNOWAIT, __WALL } = waitOptions;
  for (;;) {
    const ended = WEXITED | WNOHANG | __WALL;
    const { result, output } = executeForOutput(waitid(waitTypes.P_ALL, 0, ended | WNOWAIT));
    const pid = result < 0 ? 0 : readField(siginfo, output, "si_pid");
    if (pid === 0 || pid === init) return;
    execute(waitid(waitTypes.P_PID, pid, ended));
  }
}

const CLD_EXITED = 1;

function reap(pid: number): number {
  const { output } = executeForOutput(
    waitid(waitTypes.P_PID, pid, waitOptions.WEXITED | waitOptions.__WALL),
  );
  const status = readField(siginfo, output, "si_status");
  const exited = readField(siginfo, output, "si_code") === CLD_EXITED;
  debug(() => `init has ${exited ? "ended with status" : "been killed by signal"} ${status}`);
  return exited ? status : 128 + status;
}
