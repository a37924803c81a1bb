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

/** Steps that set the limits while init may still raise them. Run by init as root. */
export function limitsAtCreate(limits: readonly Limit[]): Step[] {
  return limits.map((limit) => setLimit({ ...limit, soft: softUntilStart(limit) }));
}

/** Steps for what had to wait until the stub needs no descriptors any more. Run by init as the container's user. */
export function limitsAtStart(limits: readonly Limit[]): Step[] {
  return limits.filter((limit) => softUntilStart(limit) !== limit.soft).map(setLimit);
}

function softUntilStart({ type, soft, hard }: Limit): bigint {
  if (type !== "RLIMIT_NOFILE" || soft >= openFilesUntilStart) return soft;
  return hard < openFilesUntilStart ? hard : openFilesUntilStart;
}

function setLimit(limit: Limit): Step {
  return step(`setting ${limit.type}`, prlimit(0, limit));
}
