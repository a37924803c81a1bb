// What the runtime asks the host about processes, and how it signals them without hitting another one of the same number.

import { errnoName, errnos } from "../abi/errno.ts";
import { AT_FDCWD } from "../abi/file.ts";
import { signals } from "../abi/process.ts";
import { pollEvents } from "../abi/socket.ts";
import { present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { execute, executeForOutput, must } from "../ffi/execute.ts";
import type { NamespaceType } from "../spec/types.ts";
import { readlinkat, umask } from "../syscall/files.ts";
import {
  exitGroup,
  getpid,
  kill,
  pidfdOpen,
  pidfdSendSignal,
  rtSigaction,
} from "../syscall/processes.ts";
import { ppoll } from "../syscall/sockets.ts";
import { type OwnedFd, own, readText, readTextIfPresent, tryWrite } from "./files.ts";

/** A process by number and start: two processes never share both. */
export type ProcessIdentity = {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  readonly startTimeTicks: number;
};

export type ProcessStat = ProcessIdentity & {
  /** Field 2, without the parentheses. */
  readonly name: string;
  /** Field 3: `R`, `S`, `Z`... */
  readonly state: string;
};

/**
 * Reads /proc/PID/stat; proc_pid_stat(5).
 *
 * @returns undefined when there is no such process
 */
export function readProcessStat(pid: number): ProcessStat | undefined {
  const text = readTextIfPresent(`/proc/${pid}/stat`, "looking at a process", 8192);
  if (text === undefined) return undefined;
  // The name may contain blanks and parentheses: the fields start behind the last one.
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  const [state = ""] = fields;
  const name = text.slice(text.indexOf("(") + 1, end);
  return { pid, name, state, startTimeTicks: Number(fields[19]) };
}

/** Whether this very process still runs: not one that has got its number since, and not a zombie. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readProcessStat(identity.pid);
  return (
    stat !== undefined &&
    stat.startTimeTicks === identity.startTimeTicks &&
    stat.state !== "Z" &&
    stat.state !== "X"
  );
}

/** The process that asks. */
export function thisProcess(): ProcessIdentity {
  const pid = execute(getpid());
  return { pid, startTimeTicks: present(readProcessStat(pid), "this process").startTimeTicks };
}

/**
 * How the kernel says that there is no such process: EINVAL, and ENOENT since Linux 6.15, of one that is just being reaped, or when the
 * number is by now that of a thread.
 */
const goneErrnos: readonly number[] = [errnos.ESRCH, errnos.EINVAL, errnos.ENOENT];

/**
 * Opens a pidfd of this very process.
 *
 * @returns undefined when it is gone
 * @throws `syscall` fault
 */
export function openProcess(identity: ProcessIdentity): OwnedFd | undefined {
  const fd = execute(pidfdOpen(identity.pid));
  if (goneErrnos.includes(-fd)) return undefined;
  const pidfd = own(fd < 0 ? must(pidfdOpen(identity.pid), "opening the container's init") : fd);
  // Looked at after the pidfd was opened: what the pidfd refers to can no longer change.
  if (isAlive(identity)) return pidfd;
  pidfd[Symbol.dispose]();
  return undefined;
}

/** Sends a signal through a pidfd. Returns 0 or -errno. */
export function sendSignal(pidfd: OwnedFd, signal: number): number {
  return execute(pidfdSendSignal(pidfd.fd, signal));
}

/** Ends this process by a signal, with the signal's own action: as a program ends that has never heard of it. */
export function dieBy(signal: number): never {
  execute(rtSigaction(signal, { handler: 0 }));
  execute(kill(execute(getpid()), signal));
  for (;;) execute(exitGroup(128 + signal));
}

/** Waits until the process behind the pidfd has ended, `timeoutMs` at most. Returns whether it has. */
export function waitForEnd(pidfd: OwnedFd, timeoutMs?: number): boolean {
  for (;;) {
    const result = execute(ppoll(pidfd.fd, pollEvents.POLLIN, timeoutMs));
    if (result !== -errnos.EINTR) return result > 0;
  }
}

/** As long as the end of a process that is killed is waited for; one that never comes is the kernel's fault. */
const killTimeoutMs = 10_000;

/**
 * Kills the process behind the pidfd and waits for its end, so that nobody who looks afterwards finds it running.
 *
 * @param further what else it takes to die
 * @returns whether it has ended
 */
export function endProcess(pidfd: OwnedFd, further?: () => void): boolean {
  sendSignal(pidfd, signals.SIGKILL);
  further?.();
  return waitForEnd(pidfd, killTimeoutMs);
}

/** The target of /proc/PID/exe; undefined when there is no such process or it may not be looked at. */
export function readExecutable(pid: number): string | undefined {
  return readLink(`/proc/${pid}/exe`);
}

/** Joining one that is ours already changes nothing, so that these need not be compared. */
const harmlessNamespaces: readonly NamespaceType[] = ["mount", "network", "ipc", "uts", "cgroup"];

/** Those of another process in which we are not; for who may not join again what is ours. */
export function foreignNamespacesOf(pid: number): readonly NamespaceType[] {
  const all = ["user", "pid", "time", ...harmlessNamespaces] as const;
  const isForeign = (file: string): boolean =>
    readLink(`/proc/${pid}/ns/${file}`) !== readLink(`/proc/self/ns/${file}`);
  return all.filter((type) => isForeign(namespaceFiles.get(type) ?? type));
}

/** Names in /proc/PID/ns that are not the type's. */
const namespaceFiles: ReadonlyMap<NamespaceType, string> = new Map([
  ["mount", "mnt"],
  ["network", "net"],
]);

/**
 * The namespaces to join for being where another process is. Ours would be refused (user), cost a fork (pid), or need a
 * kernel that has them (time): of these only such as are not ours.
 */
export function namespacesOf(pid: number): readonly NamespaceType[] {
  const compared = (["user", "pid", "time"] as const).filter(
    (type) => readLink(`/proc/${pid}/ns/${type}`) !== readLink(`/proc/self/ns/${type}`),
  );
  return [...compared, ...harmlessNamespaces];
}

/** The text of a symbolic link of the host; undefined when it cannot be read. */
export function readLink(path: string): string | undefined {
  const { result, output } = executeForOutput(readlinkat(AT_FDCWD, path, 4096));
  return result < 0 ? undefined : new TextDecoder().decode(output.subarray(0, result));
}

/** A set of capabilities of a process, a bit for each. */
export function readCapabilities(pid: number | "self", set: "CapEff" | "CapPrm"): bigint {
  const text = readText(`/proc/${pid}/status`, "reading what a process is capable of");
  return BigInt(`0x${new RegExp(`^${set}:\\s*([0-9a-f]+)$`, "m").exec(text)?.[1] ?? "0"}`);
}

/** The number that a process has in its own pid namespace. */
export function readInnerPid(pid: number): number {
  const text = readText(`/proc/${pid}/status`, "reading the pid of init in its namespace");
  return Number(/^NSpid:.*?(\d+)$/m.exec(text)?.[1] ?? pid);
}

/** Our own mask of file modes; umask(2) tells it only while it sets another one. */
export function readUmask(): number {
  const mask = execute(umask(0o077));
  execute(umask(mask));
  return mask;
}

/**
 * Sets how ready the kernel is to kill a process for want of memory; proc_pid_oom_score_adj(5).
 *
 * Spec: config.md#linux-process: oomScoreAdj. Set by the runtime, which may lower it where the container's user may not.
 *
 * @throws `syscall` fault: EACCES for a score below the lowest that the caller may set
 */
export function setOomScore(pid: number, score: number): void {
  const path = `/proc/${pid}/oom_score_adj`;
  const result = tryWrite(path, `${score}`);
  if (result >= 0) return;
  raise({
    kind: "syscall",
    doing: `setting process.oomScoreAdj to ${score}`,
    call: "write",
    target: path,
    errno: errnoName(-result),
    where: "runtime",
  });
}
