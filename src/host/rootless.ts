// Whether we are an ordinary user, and what we do without because of it; who asks, and for which purpose, decides the rule.

import { execute } from "../ffi/execute.ts";
import { geteuid } from "../syscall/processes.ts";
import { readTextIfPresent } from "./files.ts";

/** Whether the caller is not root where it is: it gets a user namespace for a container, and its maps by other rules. */
export function isOrdinaryUser(): boolean {
  return execute(geteuid()) !== 0;
}

/**
 * Whether root here is not the host's root, or not all of it: by the id map, as runc looks at it, for what counts is whose
 * ids the files of the host have. Whether device nodes can be made is another question (`isInUserNamespace`, facts.ts).
 */
export function isInMappedNamespace(): boolean {
  // A kernel without user namespaces has no such file.
  const map = readTextIfPresent("/proc/self/uid_map", "looking for a user namespace");
  return map !== undefined && !/^\s*0\s+0\s+4294967295\s*$/.test(map);
}

/**
 * Whether refusals of the cgroup tree are to be expected, and borne where nothing was asked of it.
 *
 * @param asked `--rootless`
 */
export function isRootlessForCgroups(asked: "true" | "false" | "auto"): boolean {
  return asked === "auto" ? isOrdinaryUser() || isInMappedNamespace() : asked === "true";
}
