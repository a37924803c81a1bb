// Removes the cgroup of a container, with the groups that the container has made below it.
//
//   removeCgroup(paths: CgroupPaths, made: readonly string[]): void

import { errnos } from "../../abi/errno.ts";
import { AT_FDCWD, atFlags } from "../../abi/file.ts";
import { execute, raiseErrno } from "../../ffi/execute.ts";
import type { CgroupPaths } from "../../plan/cgroup.ts";
import { unlinkat } from "../../syscall/files.ts";
import { nanosleep } from "../../syscall/processes.ts";
import { listDirectory, tryRemoveDirectory, tryWrite } from "../files.ts";
import { readCgroupFile } from "./cgroup-file.ts";

const doing = "removing the container's cgroup";

/** A killed process leaves its cgroup a moment later: two quick looks, then runc's pauses, 10 s in all. */
const pausesMs: readonly number[] = [0.2, 1, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120];

/**
 * Removes those directories of `paths`, or below them, that `makeCgroup` has made, with all in them; that one is gone is fine.
 * Directories that were there before stay. Run by the runtime, when the container's processes are dead.
 *
 * @throws `syscall` fault with EBUSY when processes stay
 */
export function removeCgroup(paths: CgroupPaths, made: readonly string[]): void {
  const ours = new Set<string>();
  for (const path of made) {
    for (const own of Object.values(paths)) if (`${path}/`.startsWith(`${own}/`)) ours.add(path);
  }
  for (const pauseMs of pausesMs) {
    for (const path of ours) {
      if (removeGroups(path) === 0) ours.delete(path);
    }
    if (ours.size === 0) break;
    execute(nanosleep(pauseMs));
  }
  for (const path of ours) {
    const result = removeGroups(path);
    if (result < 0) raiseErrno(unlinkat(AT_FDCWD, path, atFlags.AT_REMOVEDIR), doing, result);
  }
  const { "": group } = paths;
  if (group !== undefined && !made.includes(group)) takeBackControllers(group, made);
}

/**
 * Has a group of v2 that was there before hand no controllers on any more, where that was for a group of the container's below it:
 * as long as it does, no process can join it, so no other container either. One that has other groups below it goes on.
 */
function takeBackControllers(group: string, made: readonly string[]): void {
  if (!made.some((path) => path.startsWith(`${group}/`))) return;
  const file = `${group}/cgroup.subtree_control`;
  const handedOn = readCgroupFile(file) ?? "";
  if (handedOn === "") return;
  const words = handedOn.split(" ").map((controller) => `-${controller}`);
  tryWrite(file, words.join(" "));
}

/** Removes a group and those below it, the innermost first. Returns 0, or -EBUSY while there are processes. */
function removeGroups(path: string): number {
  const first = tryRemoveDirectory(path);
  if (first === 0 || first === -errnos.ENOENT) return 0;
  // Most containers make no groups of their own: only one that cannot be removed is looked into.
  for (const entry of listDirectory(path, doing) ?? []) {
    if (entry.type !== "directory") continue;
    const inner = removeGroups(`${path}/${entry.name}`);
    if (inner < 0) return inner;
  }
  const second = tryRemoveDirectory(path);
  return second === -errnos.ENOENT ? 0 : second;
}
