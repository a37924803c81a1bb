// Resource limits of the container's process, in the two moments at which they can be set.

import { rlimitResources } from "../abi/process.ts";
import { raise } from "../base/fault.ts";
import { type Step, step } from "../program/step.ts";
import { toUint64 } from "../spec/integers.ts";
import type { Rlimit } from "../spec/types.ts";
import { prlimit } from "../syscall/processes.ts";

export type LimitName = keyof typeof rlimitResources;

export type Limit = { readonly type: LimitName; readonly soft: bigint; readonly hard: bigint };

/** The parked stub needs a few descriptors of its own: a lower soft limit of open files is set by `start`. */
const openFilesUntilStart = 1024n;

/**
 * The limits of config.json, and that of open files as the caller had it where the config says nothing: Bun has raised
 * the runtime's own.
 *
 * Spec: config.md#posix-process: a type that cannot be mapped to the kernel MUST generate an error.
 */
export function effectiveLimits(
  rlimits: readonly Rlimit[],
  caller: { readonly soft: bigint; readonly hard: bigint },
): readonly Limit[] {
  const limits = rlimits.map(({ type, soft, hard }): Limit => {
    if (!isLimitName(type)) {
      return raise({ kind: "refused", message: `invalid rlimit type: ${type}` });
    }
    return { type, soft: toUint64(soft), hard: toUint64(hard) };
  });
  const listed = limits.some(({ type }) => type === "RLIMIT_NOFILE");
  return listed ? limits : [...limits, { type: "RLIMIT_NOFILE", ...caller }];
}

function isLimitName(type: string): type is LimitName {
  return Object.hasOwn(rlimitResources, type);
}

/**
 * The limits as they are set while init can still be given more, and before it is done with its own work: only those that
 * leave room for the stub, which would die unheard, and that of open files with a soft limit that suffices.
 */
export function limitsUntilStart(limits: readonly Limit[]): readonly Limit[] {
  return limits
    .filter((limit) => !leavesNoRoom(limit))
    .map((limit) => ({ ...limit, soft: softUntilStart(limit) }));
}

/** Steps that set the limits while init may still raise them. Run by init as root. */
export function limitsAtCreate(limits: readonly Limit[]): Step[] {
  return limits
    .filter((limit) => !leavesNoRoom(limit))
    .map((limit) => setLimit(limit, softUntilStart(limit)));
}

/** Steps for what had to wait: lowering a limit needs no privilege. Run by init as the container's user. */
export function limitsAtStart(limits: readonly Limit[]): Step[] {
  return limits
    .filter((limit) => leavesNoRoom(limit) || softUntilStart(limit) !== limit.soft)
    .map((limit) => setLimit(limit));
}

/** More than the stub's memory for the largest batch. */
const stubBytes = 256n * 1024n * 1024n;

function leavesNoRoom({ type, soft, hard }: Limit): boolean {
  if (type === "RLIMIT_NOFILE") return hard < openFilesUntilStart;
  return (type === "RLIMIT_AS" || type === "RLIMIT_DATA") && soft < stubBytes;
}

function softUntilStart({ type, soft }: Limit): bigint {
  return type === "RLIMIT_NOFILE" && soft < openFilesUntilStart ? openFilesUntilStart : soft;
}

/** Says what is asked for, also where `soft` is for the time being. */
function setLimit(limit: Limit, soft = limit.soft): Step {
  const doing = `setting ${limit.type} to ${limit.soft} and ${limit.hard}`;
  return step(doing, prlimit(0, { ...limit, soft }));
}
