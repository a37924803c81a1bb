// Finds and kills the processes of a cgroup and of the groups below it.
//
//   listProcesses(paths: CgroupPaths): number[]      killAll(paths, signal: number): void
//   countOomKills(paths): number

import { errnos } from "../../abi/errno.ts";
import { signals } from "../../abi/process.ts";
import { FaultError } from "../../base/fault.ts";
import { execute, raiseErrno } from "../../ffi/execute.ts";
import type { CgroupPaths } from "../../plan/cgroup.ts";
import { kill } from "../../syscall/processes.ts";
import { listDirectory, readText, tryWrite } from "../files.ts";
import { readCgroupCounter } from "./cgroup-file.ts";
import { freeze, isStopped, thaw } from "./freezer.ts";

/**
 * Lists the processes of the group and of all groups below it, in ascending order; none when it does not exist.
 * On v1 one hierarchy speaks for all, as with runc.
 *
 * @throws `syscall` fault
 */
export function listProcesses(paths: CgroupPaths): number[] {
  const directory = mainDirectory(paths);
  if (directory === undefined) return [];
  return [...new Set(listTree(directory))].sort((one, other) => one - other);
}

/** The one that can also stop the processes, where there is one: what is listed is then what was stopped. */
function mainDirectory(paths: CgroupPaths): string | undefined {
  return paths["freezer"] ?? paths[""] ?? paths["devices"] ?? Object.values(paths)[0];
}

function listTree(directory: string): number[] {
  try {
    const pids = listOwnProcesses(directory);
    for (const entry of listDirectory(directory, "listing the cgroups in the container's") ?? []) {
      if (entry.type === "directory") pids.push(...listTree(`${directory}/${entry.name}`));
    }
    return pids;
  } catch (error) {
    // The group has gone while it was read, and its processes with it.
    if (isErrno(error, "ENOENT") || isErrno(error, "ENODEV")) return [];
    throw error;
  }
}

/**
 * Lists the processes of one group, without those of groups below.
 *
 * @throws `syscall` fault
 */
export function listOwnProcesses(directory: string): number[] {
  const doing = "listing the processes of the container's cgroup";
  let text: string;
  try {
    text = readText(`${directory}/cgroup.procs`, doing);
  } catch (error) {
    // A threaded group of v2 knows only its threads.
    if (!isErrno(error, "EOPNOTSUPP")) throw error;
    text = readText(`${directory}/cgroup.threads`, doing);
  }
  // A process of a pid namespace that is not ours is shown as 0.
  return text
    .split("\n")
    .filter((line) => line !== "" && line !== "0")
    .map(Number);
}

function isErrno(error: unknown, errno: string): boolean {
  return (
    error instanceof FaultError && error.fault.kind === "syscall" && error.fault.errno === errno
  );
}

/**
 * Sends a signal to every process of the group and of those below; a process that forks meanwhile does not escape.
 * Run by the runtime, for a group that only the container uses. SIGKILL also ends frozen processes.
 *
 * @throws `syscall` fault
 */
export function killAll(paths: CgroupPaths, signal: number): void {
  const unified = paths[""];
  // Linux 5.14; it works on the v2 tree of a hybrid host, too. What v1 has frozen dies when it is thawed.
  if (signal === signals.SIGKILL && unified !== undefined) {
    if (tryWrite(`${unified}/cgroup.kill`, "1") >= 0) {
      if (paths["freezer"] !== undefined && isStopped(paths)) tolerate(() => thaw(paths));
      return;
    }
  }
  const wasStopped = isStopped(paths);
  if (!wasStopped) tolerate(() => freeze(paths));
  try {
    signalEach(paths, signal);
  } finally {
    // A paused container gets any other signal when it is resumed.
    if (!wasStopped || signal === signals.SIGKILL) tolerate(() => thaw(paths));
  }
}

/** A group that cannot be frozen, because it has no freezer or is gone, is signalled as it is. */
function tolerate(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
  }
}

/** A group that could not be frozen is looked through until there is no one new; a fork bomb is given up on. */
const signalRounds = 100;

function signalEach(paths: CgroupPaths, signal: number): void {
  const signalled = new Set<number>();
  for (let round = 0; round < signalRounds; round += 1) {
    const others = listProcesses(paths).filter((pid) => !signalled.has(pid));
    if (others.length === 0) return;
    for (const pid of others) {
      signalled.add(pid);
      const call = kill(pid, signal);
      const result = execute(call);
      if (result < 0 && result !== -errnos.ESRCH) {
        raiseErrno(call, `sending signal ${signal} to a process of the container`, result);
      }
    }
  }
}

/** How many processes of the group, and of those below, the kernel has killed for want of memory. */
export function countOomKills(paths: CgroupPaths): number {
  const { memory, "": unified } = paths;
  if (memory !== undefined) return readCgroupCounter(`${memory}/memory.oom_control`, "oom_kill");
  return unified === undefined ? 0 : readCgroupCounter(`${unified}/memory.events`, "oom_kill");
}
