// What of a container's cgroup plan an ordinary user has the right to, and what the container does without.

import { errnos } from "../../abi/errno.ts";
import { AT_FDCWD, accessModes, atFlags } from "../../abi/file.ts";
import { errnoText } from "../../base/errno-text.ts";
import { raise } from "../../base/fault.ts";
import { execute } from "../../ffi/execute.ts";
import type { CgroupPlan, DelegatedGroup, PlannedHierarchy } from "../../plan/cgroup.ts";
import type { CgroupHierarchy, CgroupHost } from "../../plan/cgroup-host.ts";
import { delegateCgroup } from "../../spec/annotations.ts";
import { faccessat2 } from "../../syscall/files.ts";

const { W_OK, X_OK } = accessModes;

/**
 * Leaves out the hierarchies in which the caller may not make the group: the container stays in the caller's there. Only
 * for a group whose place the config leaves to us: one that it names has to be made. Looks, and changes nothing.
 *
 * @throws `refused`, in runc's words, when a limit needs a group that is left out
 */
export function withinRights(plan: CgroupPlan, host: CgroupHost): CgroupPlan {
  const own = host.version === "v2" ? [host.hierarchy] : host.hierarchies;
  const hierarchies = plan.hierarchies.filter((hierarchy) => mayUse(hierarchy, own));
  if (hierarchies.length === plan.hierarchies.length) return plan;
  const kept = new Set(hierarchies.map(({ path }) => path));
  const paths = Object.fromEntries(Object.entries(plan.paths).filter(([, path]) => kept.has(path)));
  if (plan.delegated !== undefined && paths[""] === undefined) refuseDelegated(plan.delegated);
  const has = ({ controller }: { readonly controller: string }) => paths[controller] !== undefined;
  for (const step of [...plan.beforeJoin, ...plan.steps]) {
    const isLimit = step.kind === "write" && step.property !== "devices";
    if (isLimit && !has(step)) refuseLimit(plan, step.controller);
  }
  return {
    ...plan,
    hierarchies,
    paths,
    beforeJoin: plan.beforeJoin.filter(has),
    steps: plan.steps.filter(has),
  };
}

function refuseDelegated({ path }: DelegatedGroup): never {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const message = `annotation ${delegateCgroup}=${name}: no permission is granted for cgroups: mkdir ${path}: ${errnoText("EACCES")}`;
  return raise({ kind: "refused", message });
}

function refuseLimit({ version, paths }: CgroupPlan, controller: string): never {
  const message =
    version === "v1"
      ? `cannot set ${controller} limit: container could not join or create cgroup`
      : `rootless needs no limits + no cgrouppath when no permission is granted for cgroups: mkdir ${paths[""] ?? ""}: ${errnoText("EACCES")}`;
  return raise({ kind: "refused", message });
}

/** Whether a directory can be made there, and a process of ours be moved to it: cgroups(7), delegation. */
function mayUse(
  { path, mountPoint, controllers }: PlannedHierarchy,
  own: readonly CgroupHierarchy[],
): boolean {
  const existing = nearestDirectory(path);
  if (!isAllowed(existing, W_OK | X_OK)) return false;
  if (controllers[0] !== "") return existing !== path || isAllowed(`${path}/tasks`, W_OK);
  // v2: also the group above both, the old and the new.
  const from = own.find((hierarchy) => hierarchy.mountPoint === mountPoint)?.ownPath ?? mountPoint;
  return isAllowed(`${commonDirectory(from, path)}/cgroup.procs`, W_OK);
}

function nearestDirectory(path: string): string {
  const result = execute(faccessat2(AT_FDCWD, path, { mode: 0, flags: 0 }));
  return result === -errnos.ENOENT && path !== ""
    ? nearestDirectory(path.slice(0, path.lastIndexOf("/")))
    : path;
}

function isAllowed(path: string, mode: number): boolean {
  return execute(faccessat2(AT_FDCWD, path, { mode, flags: atFlags.AT_EACCESS })) === 0;
}

function commonDirectory(one: string, other: string): string {
  const names = one.split("/");
  const others = other.split("/");
  const differing = names.findIndex((name, index) => name !== others[index]);
  return names.slice(0, differing === -1 ? names.length : differing).join("/");
}
