// Joining the container's cgroup, by init itself: the way that needs no lock on all the forks and exits of the machine.

import { AT_FDCWD, openFlags } from "../abi/file.ts";
import { type Step, step } from "../program/step.ts";
import { close, dup3, openat, writeText } from "../syscall/files.ts";
import { slot } from "../syscall/value.ts";

/** Where init has to be. */
export type CgroupPlaces = {
  /** Directories of cgroup v1 hierarchies. */
  readonly v1: readonly string[];
  /** The directory in the v2 tree, if there is one. */
  readonly v2: string | undefined;
};

/**
 * Steps by which the stub joins the v1 groups, before it makes a namespace: it is still the host's root, and its child
 * inherits them.
 *
 * A write of another process's pid to cgroup.procs takes the kernel's cgroup_threadgroup_rwsem, which waits for an RCU
 * grace period: 5 to 20 ms. A thread that writes 0, itself, to `tasks` needs no lock, and the stub has one thread.
 */
export function joinCgroupV1(places: CgroupPlaces): Step[] {
  return places.v1
    .map((directory, index) => joinByWriting(`${directory}/tasks`, `cgroup${index}`))
    .flat();
}

/**
 * Steps that join the v2 group where init cannot be born in it (namespaces.ts, forkInit): without a fork, or when the
 * fork happens in a user namespace that has no right to the group. This one takes the lock.
 */
export function joinCgroupV2(places: CgroupPlaces): Step[] {
  return places.v2 === undefined ? [] : joinByWriting(`${places.v2}/cgroup.procs`, "cgroup");
}

/** Opens the v2 group as the descriptor with which forkInit names it. */
export function openCgroupV2(directory: string, fd: number): Step[] {
  const doing = "opening the container's cgroup";
  const { O_CLOEXEC, O_DIRECTORY, O_PATH } = openFlags;
  return [
    step(doing, openat(AT_FDCWD, directory, { flags: O_PATH | O_DIRECTORY | O_CLOEXEC }), {
      slot: "cgroup.directory",
    }),
    step(doing, dup3(slot("cgroup.directory"), fd, O_CLOEXEC)),
    step(doing, close(slot("cgroup.directory"))),
  ];
}

function joinByWriting(file: string, here: string): Step[] {
  const doing = "joining the container's cgroup";
  return [
    step(doing, openat(AT_FDCWD, file, { flags: openFlags.O_WRONLY | openFlags.O_CLOEXEC }), {
      slot: here,
    }),
    step(`${doing} ${file}`, writeText(slot(here), "0")),
    step(doing, close(slot(here))),
  ];
}
