// What `update` makes of new resources: those that the container then has, and the writes that get it there; it reads nothing.

import { raise } from "../base/fault.ts";
import type { Cpu, LinuxResources, Memory } from "../spec/resources.ts";
import { type CgroupPaths, type CgroupStep, requireController } from "./cgroup.ts";
import { planResourcesV1 } from "./cgroup-v1.ts";
import { planResourcesV2 } from "./cgroup-v2.ts";
import { cgroupVersion } from "./cgroup-version.ts";

/** How a container gets from the resources that it has to those that were asked for. */
export type UpdatePlan = {
  /** What it has then. */
  readonly resources: LinuxResources;
  /** In order; without device rules, which an update leaves alone, as runc's does. */
  readonly steps: readonly CgroupStep[];
  /** What cannot be done here and is left out. */
  readonly ignored: readonly { readonly property: string; readonly because: string }[];
};

/**
 * Plans an update. What is not given, or given as nothing (0, an empty text), stays as it is.
 *
 * @throws `refused` for resources that cannot be meant; `host` when the host lacks a controller that they need
 */
export function planUpdate(
  current: LinuxResources,
  given: LinuxResources,
  paths: CgroupPaths,
): UpdatePlan {
  const version = cgroupVersion(paths);
  // A rootless container has none where its caller had no right to make one.
  const hasNone = Object.keys(paths).length === 0;
  const { memory, cpu, devices: _, ...others } = given;
  const newMemory: Memory = withoutNothing(memory ?? {});
  const newCpu: Cpu = withoutNothing(cpu ?? {});
  const asked: LinuxResources = {
    memory: completeMemory(newMemory, current.memory ?? {}, version),
    cpu: completeCpu(newCpu, current.cpu ?? {}),
    ...others,
  };
  const plan = version === "v2" ? planResourcesV2(asked) : planResourcesV1(asked);
  const steps = [...plan.beforeJoin, ...plan.steps].filter(
    (step) => step.kind === "check-usage" || (step.kind === "write" && step.property !== "devices"),
  );
  for (const step of steps) {
    if (hasNone) refuseWithoutGroup(step);
    requireController(step, paths);
  }
  return {
    resources: mergeResources(current, { ...asked, memory: newMemory, cpu: newCpu }),
    steps,
    ignored: plan.ignored,
  };
}

function refuseWithoutGroup({ controller }: CgroupStep): never {
  const what = controller === "" ? "a" : controller;
  const message = `cannot set ${what} limit: container could not join or create cgroup`;
  return raise({ kind: "refused", message });
}

/** To runc, and so to its callers, a number of 0 and an empty text say that nothing is asked for. */
function withoutNothing<Part extends Memory | Cpu>(part: Part): Part {
  const rest: Part = { ...part };
  for (const name in rest) {
    const value: unknown = rest[name];
    if (value === "" || (value === 0 && !meaningfulZeros.includes(name))) delete rest[name];
  }
  return rest;
}

/** Where 0 is a value like any other. */
const meaningfulZeros: readonly string[] = ["idle", "burst", "swappiness"];

/** On v2 the limit of memory and swap together is written as what is left for swap: that takes both. */
function completeMemory(given: Memory, current: Memory, version: "v1" | "v2"): Memory {
  const known = current.limit ?? 0;
  if (version === "v1" || given.limit !== undefined || (given.swap ?? 0) <= 0 || known <= 0) {
    return given;
  }
  return { ...given, limit: known };
}

/** The kernel knows a quota only with its period: the one that is not given stays. */
function completeCpu(given: Cpu, current: Cpu): Cpu {
  if (given.quota === undefined && given.period === undefined) return given;
  const quota = given.quota ?? current.quota;
  const period = given.period ?? current.period;
  return {
    ...given,
    ...(quota === undefined ? {} : { quota }),
    ...(period === undefined ? {} : { period }),
  };
}

function mergeResources(current: LinuxResources, given: LinuxResources): LinuxResources {
  const { memory, cpu, unified, blockIO } = given;
  return {
    ...current,
    ...given,
    memory: { ...current.memory, ...memory },
    cpu: { ...current.cpu, ...cpu },
    ...(blockIO === undefined ? {} : { blockIO: { ...current.blockIO, ...blockIO } }),
    ...(unified === undefined ? {} : { unified: { ...current.unified, ...unified } }),
  };
}
