// Derives a container's status from the world: its process, whether that is still parked, the freezer; nothing is stored.

import { debug } from "../base/debug.ts";
import { readFrozen } from "../host/cgroups/freezer.ts";
import { exists } from "../host/files.ts";
import { isAlive, readExecutable } from "../host/processes.ts";
import { stubExecutable } from "../init/stub/stub-image.ts";
import { type ContainerRecord, initIdentity } from "./record.ts";
import type { Status } from "./status.ts";
import { type ContainerPaths, isHeld } from "./store.ts";

/** Looks at the container. A zombie and a process that has only inherited the number count as stopped. */
export function observe(paths: ContainerPaths, record: ContainerRecord): Status {
  // Whoever makes it holds it; what is left of a making that was broken off, nobody holds.
  if (record.tsRunc.phase === "intent" && isHeld(paths)) return "creating";
  return observeLocked(paths, record);
}

/** Looks at a container that we hold ourselves, so that nobody is making it. */
export function observeLocked(paths: ContainerPaths, record: ContainerRecord): Status {
  const status = findStatus(paths, record);
  debug(() => `${record.id} is ${status}, init ${record.init_process_pid}`);
  return status;
}

function findStatus(paths: ContainerPaths, record: ContainerRecord): Status {
  const pid = record.init_process_pid;
  if (pid === 0 || !isAlive(initIdentity(record))) return "stopped";
  if (readFrozen(record.cgroup_paths)) return "paused";
  // The socket alone would not do: a `start` that was killed between execve and the removal leaves it.
  return exists(paths.socket) && isParked(pid) ? "created" : "running";
}

function isParked(pid: number): boolean {
  const executable = readExecutable(pid);
  return (
    executable === undefined ||
    executable === stubExecutable ||
    // Without executable memory files (vm.memfd_noexec) it is a file that never had a name.
    /\/#\d+ \(deleted\)$/.test(executable)
  );
}
