// pause and resume: stop every process of a container where it is, and let them go on.

import { freeze, thaw } from "../host/cgroups/freezer.ts";
import { observe } from "./observe.ts";
import { type ContainerRecord, readRecord } from "./record.ts";
import { requireStatus } from "./status.ts";
import { type ContainerPlace, containerPaths } from "./store.ts";

/**
 * Pauses the container, and returns when its processes have stopped. Without a lock, as with runc: a command that waits for
 * init would keep it as long as init is stopped.
 *
 * @throws `id`, `status` faults; `host` when the processes do not stop, and they run then
 */
export function pauseContainer(place: ContainerPlace): void {
  freeze(requireRecord("pause", place).cgroup_paths);
}

/**
 * Lets a paused container go on.
 *
 * @throws `id`, `status`, `syscall` faults
 */
export function resumeContainer(place: ContainerPlace): void {
  thaw(requireRecord("resume", place).cgroup_paths);
}

function requireRecord(verb: "pause" | "resume", place: ContainerPlace): ContainerRecord {
  const paths = containerPaths(place);
  const record = readRecord(paths);
  requireStatus(verb, place.id, observe(paths, record));
  return record;
}
