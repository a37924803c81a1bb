// What init does when `start` calls it, and the process of `exec` in the end: the last limits, the seccomp filter, and execve;
// composed apart because nothing is left to be prepared.

import { closeAtExecve, executeProgram, leaveRuntime } from "../inside/process.ts";
import { effectiveLimits, limitsAtStart } from "../inside/rlimits.ts";
import type { Step } from "../program/step.ts";
import type { Process } from "../spec/types.ts";
import { doorbellFd, type HostFacts } from "./host-facts.ts";

/** What has been found out before. */
export type StartFacts = Pick<HostFacts, "preserveFds" | "callerOpenFiles"> & {
  /** The program's path in the container. */
  readonly path: string;
  readonly env: readonly string[];
  /** Steps that load a seccomp filter which has not been loaded before. */
  readonly filterSteps: readonly Step[];
};

/** Composes the last batch of init, which ends in execve. Pure. */
export function startSteps(
  process: Process & { readonly args: readonly string[] },
  facts: StartFacts,
): Step[] {
  const { path, env, preserveFds, callerOpenFiles, filterSteps } = facts;
  return [
    // `run` sends this batch to an init that still dies with the runtime; a parked one has left it before.
    ...leaveRuntime(),
    // No descriptor has to be opened any more.
    ...limitsAtStart(effectiveLimits(process.rlimits ?? [], callerOpenFiles)),
    ...closeAtExecve(path, doorbellFd(preserveFds)),
    // Last of all: it may forbid everything that init does, but for execve.
    ...filterSteps,
    ...executeProgram({ path, args: process.args, env }),
  ];
}
