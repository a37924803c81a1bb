// System calls that say how a process is scheduled and where its memory comes from, as values; pid 0 is the caller.

import type { FlagTable } from "../abi/flags.ts";
import {
  executionDomains,
  IOPRIO_CLASS_SHIFT,
  IOPRIO_WHO_PROCESS,
  ioPriorityClasses,
  memoryPolicyFlags,
  memoryPolicyModes,
  schedulingFlags,
  schedulingPolicies,
} from "../abi/scheduling.ts";
import { schedAttr } from "../abi/struct.ts";
import {
  bytes,
  call,
  type Fd,
  fdOperand,
  flags,
  number,
  type Operand,
  type Syscall,
  struct,
} from "./value.ts";

export type SchedulingAttributes = {
  readonly policy: keyof typeof schedulingPolicies;
  readonly flags: number;
  readonly nice: number;
  readonly priority: number;
  /** In nanoseconds, as the other two. */
  readonly runtime: bigint;
  readonly deadline: bigint;
  readonly period: bigint;
};

/** sched_setattr(2). */
export function schedSetattr(pid: Fd, attributes: SchedulingAttributes): Syscall {
  return call(
    "sched_setattr",
    fdOperand(pid),
    struct(schedAttr, {
      size: number(schedAttr.sizeBytes),
      sched_policy: choice(schedulingPolicies, attributes.policy),
      sched_flags: flags(schedulingFlags, attributes.flags),
      sched_nice: number(attributes.nice),
      sched_priority: number(attributes.priority),
      sched_runtime: number(attributes.runtime),
      sched_deadline: number(attributes.deadline),
      sched_period: number(attributes.period),
    }),
    number(0),
  );
}

/** sched_setaffinity(2); bit n of the mask is processor n. */
export function schedSetaffinity(pid: Fd, mask: Uint8Array): Syscall {
  return call("sched_setaffinity", fdOperand(pid), number(mask.byteLength), bytes(mask));
}

/** ioprio_set(2) of one process. */
export function ioprioSet(
  pid: Fd,
  of: { readonly class: keyof typeof ioPriorityClasses; readonly priority: number },
): Syscall {
  const ofClass = ioPriorityClasses[of.class] << IOPRIO_CLASS_SHIFT;
  return call(
    "ioprio_set",
    flags({ IOPRIO_WHO_PROCESS }, IOPRIO_WHO_PROCESS),
    fdOperand(pid),
    flags({ [of.class]: ofClass }, ofClass | of.priority),
  );
}

/** set_mempolicy(2); bit n of the mask is node n, and none is said by an empty mask. */
export function setMempolicy(
  mode: keyof typeof memoryPolicyModes,
  modeFlags: number,
  nodes: Uint8Array,
): Syscall {
  const value = memoryPolicyModes[mode];
  // A mode is a number, and not a bit.
  const table = value === 0 ? memoryPolicyFlags : { [mode]: value, ...memoryPolicyFlags };
  const empty = nodes.byteLength === 0;
  return call(
    "set_mempolicy",
    flags(table, value | modeFlags),
    empty ? number(0) : bytes(nodes),
    // The kernel takes one bit less than it is told.
    number(empty ? 0 : nodes.byteLength * 8 + 1),
  );
}

export function personality(domain: keyof typeof executionDomains): Syscall {
  return call("personality", choice(executionDomains, domain));
}

/** One number of a table, printed by its name unless it is 0. */
function choice<Table extends FlagTable>(
  table: Table,
  name: keyof Table & string,
): Operand & { kind: "number" | "flags" } {
  const value = table[name] ?? 0;
  return value === 0 ? number(0) : flags({ [name]: value }, value);
}
