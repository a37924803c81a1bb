// Decides where a container's cgroup is and what is written into it: data for host/cgroups/, for the cgroupfs driver.
//
//   CgroupHost, id, cgroupsPath, resources --> planCgroup --> CgroupPlan
//     makeCgroup     plan.hierarchies (directories), plan.beforeJoin (v1: what must stand before a process comes)
//     joinCgroup     plan.paths, for a process that is moved from outside; init joins by itself (inside/cgroup.ts)
//     applyResources plan.steps, in order
//     state.json     plan.paths, as `cgroup_paths`; delete, kill, pause and events need no more than that

import type { ErrnoName } from "../abi/errno.ts";
import { raise } from "../base/fault.ts";
import type { LinuxResources } from "../spec/resources.ts";
import { type CgroupHierarchy, type CgroupHost, joinPath } from "./cgroup-host.ts";
import { planResourcesV1 } from "./cgroup-v1.ts";
import { planResourcesV2 } from "./cgroup-v2.ts";
import type { BpfInstruction } from "./device-filter.ts";

/** Controller to absolute directory, as in runc's state.json; "" is v2, and `name=systemd` a hierarchy without controllers. */
export type CgroupPaths = Readonly<Record<string, string>>;

/** One write(2) into a file of the cgroup. */
export type CgroupWrite = {
  readonly kind: "write";
  /** The key in `CgroupPaths`. */
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** What asked for it, below `linux.resources`: `memory.limit`. */
  readonly property: string;
  /** Refusals that are no failure, with the reason. */
  readonly tolerated?: { readonly [errno in ErrnoName]?: string };
  /** What is written where the kernel has no such file (ENOENT). */
  readonly instead?: { readonly file: string; readonly value: string };
  /** Written only if an earlier write of the same file was refused and that was tolerated. */
  readonly again?: true;
  /** Written first into those parents that were made with the group: it gets nothing that they do not have. */
  readonly parentsToo?: true;
};

export type CgroupStep =
  | CgroupWrite
  /** Refuses a memory limit that is below what the group uses already. */
  | {
      readonly kind: "check-usage";
      readonly controller: string;
      /** Bytes; 0 where there is no limit to check. */
      readonly limit: bigint;
      readonly limitWithSwap: bigint;
    }
  /** Attaches a program of the type BPF_PROG_TYPE_CGROUP_DEVICE; without instructions, takes away what is there. */
  | {
      readonly kind: "device-program";
      readonly controller: string;
      readonly program: readonly BpfInstruction[];
    };

/** What of the resources cannot be done here and is left out, as runc leaves it out. */
export type IgnoredResource = { readonly property: string; readonly because: string };

/** Resources as steps; which version's files they are for is the caller's knowledge. */
export type ResourcePlan = {
  readonly beforeJoin: readonly CgroupWrite[];
  readonly steps: readonly CgroupStep[];
  readonly ignored: readonly IgnoredResource[];
};

/** One directory to make: co-mounted controllers share it. */
export type PlannedHierarchy = {
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  readonly path: string;
};

export type CgroupPlan = ResourcePlan & {
  readonly version: "v1" | "v2";
  readonly paths: CgroupPaths;
  readonly hierarchies: readonly PlannedHierarchy[];
  /** v2: what to enable on the way down; empty on v1. */
  readonly controllers: readonly string[];
  /** v2: the uid that is to own the group. */
  readonly owner?: number | undefined;
  /** systemd has made the group and put init into it. */
  readonly adopts?: true;
  /** v2: the group that init is moved to; without limits of its own. */
  readonly delegated?: DelegatedGroup;
};

/** A group below the container's own, which the container manages. */
export type DelegatedGroup = {
  /** Absolute. */
  readonly path: string;
  /** The uid that is to own it. */
  readonly owner: number | undefined;
};

export type CgroupRequest = {
  readonly id: string;
  readonly cgroupsPath?: string | undefined;
  readonly resources?: LinuxResources | undefined;
  /** cgroup-owner.ts; for v2. */
  readonly owner?: number | undefined;
  /** subgroups.ts. */
  readonly subgroups?: Subgroups | undefined;
};

/** Groups that a config asks for beside the usual one. */
export type Subgroups = {
  /** The name of the container's own group below its unit; "" where the unit's group is the container's. */
  readonly ofUnit: string;
  /** The group below the container's own that init is moved to; v2 alone. */
  readonly delegated: { readonly name: string; readonly owner: number | undefined } | undefined;
};

/** The order in which runc makes and joins v1 hierarchies; others (perf tools' own, say) are left alone as there. */
const v1Order: readonly string[] = [
  ...["cpuset", "devices", "memory", "cpu", "cpuacct", "pids", "blkio", "hugetlb", "net_cls"],
  ...["net_prio", "perf_event", "freezer", "rdma", "name=systemd", "misc", ""],
];

/**
 * Plans the cgroup of a container.
 *
 * @throws `refused` for resources that cannot be meant; `host` when the host lacks a controller that they need
 */
export function planCgroup(request: CgroupRequest, host: CgroupHost): CgroupPlan {
  const { resources = {} } = request;
  if (host.version === "v2") {
    const { mountPoint, ownPath } = host.hierarchy;
    const parent = ownPath.slice(0, ownPath.lastIndexOf("/"));
    // The runtime's own cgroup has a process, the runtime: v2 lets it have no children with controllers.
    const base = ownPath === mountPoint ? mountPoint : parent;
    const path = placeCgroup(request, { mountPoint, base });
    return {
      version: "v2",
      paths: { "": path },
      hierarchies: [{ controllers: [""], mountPoint, path }],
      controllers: host.controllers,
      owner: request.owner,
      ...delegatedBelow(path, request),
      ...planResourcesV2(resources),
    };
  }
  const hierarchies = host.hierarchies
    .map(({ controllers, mountPoint, ownPath }) => ({
      controllers: controllers.filter((controller) => v1Order.includes(controller)),
      mountPoint,
      path: placeCgroup(request, { mountPoint, base: ownPath }),
    }))
    .filter(({ controllers }) => controllers.length > 0)
    .sort((one, other) => rank(one) - rank(other));
  const paths: Record<string, string> = {};
  for (const { controllers, path } of hierarchies) {
    for (const controller of controllers) paths[controller] = path;
  }
  const planned = planResourcesV1(resources);
  for (const step of [...planned.beforeJoin, ...planned.steps]) requireController(step, paths);
  return { version: "v1", paths, hierarchies, controllers: [], ...planned };
}

/** The group that is given to the container, below its own. */
export function delegatedBelow(
  path: string,
  { subgroups }: Pick<CgroupRequest, "subgroups">,
): Pick<CgroupPlan, "delegated"> {
  if (subgroups?.delegated === undefined) return {};
  const { name, owner } = subgroups.delegated;
  return { delegated: { path: joinPath(path, name), owner } };
}

/** Every directory that is the container's: those of its hierarchies, each once, and the one that is given to it. */
export function plannedDirectories({ paths, delegated }: CgroupPlan): readonly string[] {
  const own = [...new Set(Object.values(paths))];
  return delegated === undefined ? own : [...own, delegated.path];
}

function rank({ controllers }: Pick<CgroupHierarchy, "controllers">): number {
  let first = v1Order.length;
  for (const controller of controllers) first = Math.min(first, v1Order.indexOf(controller));
  return first;
}

/**
 * The plan of a container that gets no group and stays in its caller's: nothing is made, and nothing is limited.
 *
 * @returns with every resource that was asked for among those that are ignored
 */
export function planNoCgroup(
  { resources = {} }: CgroupRequest,
  { version }: Pick<CgroupHost, "version">,
): CgroupPlan {
  const because = "--cgroup-manager disabled makes no group for it";
  const ignored = Object.keys(resources).map((property) => ({ property, because }));
  const nothing = { hierarchies: [], controllers: [], beforeJoin: [], steps: [] };
  return { version, paths: {}, ...nothing, ignored };
}

/**
 * Gives the directory in one hierarchy. No path leaves the mount point: `..` stops there.
 * A `slice:prefix:name` meant for systemd is a relative path like any other, as with runc's cgroupfs driver.
 *
 * Spec: config-linux.md#cgroups-path MUST take an absolute path to be relative to the cgroups mount point.
 * Spec: config-linux.md#cgroups-path MUST consistently attach to the same place given the same value.
 */
function placeCgroup(
  { id, cgroupsPath }: CgroupRequest,
  { mountPoint, base }: { readonly mountPoint: string; readonly base: string },
): string {
  const inner = cgroupsPath === undefined || cgroupsPath === "" ? id : cgroupsPath;
  return joinPath(inner.startsWith("/") ? mountPoint : base, inner);
}

/**
 * Refuses a step whose controller the host does not have.
 *
 * Spec: config-linux.md#control-groups: a limit that cannot be kept is an error.
 *
 * @throws `host` fault
 */
export function requireController(step: CgroupStep, paths: CgroupPaths): void {
  if (step.kind !== "write" || paths[step.controller] !== undefined) return;
  raise({
    kind: "host",
    message: `cannot set linux.resources.${step.property} to ${JSON.stringify(step.value)}: this host has no cgroup hierarchy with the ${step.controller} controller`,
  });
}
