// Becoming the container's user: ids, groups, capabilities, no_new_privs, in the one order that the kernel allows.

import { capabilities, isCapabilityName } from "../abi/capability.ts";
import { PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE, prctlOptions } from "../abi/process.ts";
import { ignore, ignoreAny, type Step, step } from "../program/step.ts";
import type { Capabilities, Process, User } from "../spec/types.ts";
import {
  type CapabilitySets,
  capset,
  setgroups,
  setresgid,
  setresuid,
} from "../syscall/credentials.ts";
import { prctl } from "../syscall/processes.ts";

const { PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS } = prctlOptions;

/** What becomes of the groups: a user namespace may deny setting them, user_namespaces(7), or somebody wants them kept. */
export type GroupsRule = "set" | "set if allowed" | "denied" | "kept";

/**
 * Steps that take the user's ids and exactly the capability sets asked for. Run by init, last but for execve: behind
 * them it may do only what the container may.
 *
 * The bounding set goes first, since dropping needs CAP_SETPCAP; KEEPCAPS carries the permitted set over the change of
 * ids; what is not named is in no set (CVE-2022-29162: inheritable stays empty unless asked for).
 *
 * Spec: config.md#posix-platform-user, config.md#linux-process (capabilities, noNewPrivileges).
 *
 * @param options.lastCapability number of the last capability that the kernel has
 * @param options.groups whether the groups are set: not where the user namespace denies it, which nobody knows of one that
 *   is joined
 * @param options.kept what stays permitted besides, until a filter is loaded (seccomp.ts)
 */
export function planCredentials(
  process: Process,
  options: {
    readonly groups: GroupsRule;
    readonly lastCapability: number;
    readonly kept: bigint;
  },
): Step[] {
  const user = process.user ?? {};
  const sets = process.capabilities ?? {};
  return [
    ...(process.noNewPrivileges === true
      ? [step("setting no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1))]
      : []),
    ...dropBounding(sets, options.lastCapability),
    step("keeping capabilities over the change of user", prctl(PR_SET_KEEPCAPS, 1)),
    ...ids(user, options.groups),
    step("keeping capabilities over the change of user", prctl(PR_SET_KEEPCAPS, 0)),
    step(
      "setting the capabilities",
      capset(capabilitySets(sets, { besides: options.kept, effective: false })),
    ),
    ...ambient(sets),
  ];
}

/** The three sets as config.json names them; `besides` are more that are permitted, or effective too. */
export function capabilitySets(
  sets: Capabilities,
  { besides, effective } = { besides: 0n, effective: false },
): CapabilitySets {
  return {
    effective: capabilityMask(sets.effective) | (effective ? besides : 0n),
    permitted: capabilityMask(sets.permitted) | besides,
    inheritable: capabilityMask(sets.inheritable),
  };
}

function ids(user: User, groups: GroupsRule): Step[] {
  const uid = user.uid ?? 0;
  const gid = user.gid ?? 0;
  return [
    ...(groups === "kept" || groups === "denied"
      ? []
      : [
          step("setting the additional groups", setgroups(user.additionalGids ?? []), {
            // Root of a user namespace has the right to it, unless it is denied there; as with runc, it keeps its groups then.
            ...(groups === "set if allowed" ? { recovery: ignore("EPERM") } : {}),
          }),
        ]),
    step(`setting the group ${gid}`, setresgid(gid)),
    step(`setting the user ${uid}`, setresuid(uid)),
  ];
}

function dropBounding(sets: Capabilities, last: number): Step[] {
  const kept = new Set(capabilityNumbers(sets.bounding));
  const doing = "dropping capabilities from the bounding set";
  const steps: Step[] = [];
  // Up to the kernel's last one, which may be newer than our names.
  for (let number = 0; number <= last; number += 1) {
    if (!kept.has(number)) steps.push(step(doing, prctl(PR_CAPBSET_DROP, number)));
  }
  return steps;
}

function ambient(sets: Capabilities): Step[] {
  const doing = "setting the ambient capabilities";
  return [
    step(doing, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)),
    // A capability that is not permitted and inheritable cannot be raised; runc warns and goes on.
    ...capabilityNumbers(sets.ambient).map((number) =>
      step(doing, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number), { recovery: ignoreAny }),
    ),
  ];
}

/** The set as a mask; names that this version does not know have been warned of (config.md#linux-process). */
export function capabilityMask(names: readonly string[] | undefined): bigint {
  let mask = 0n;
  for (const number of capabilityNumbers(names)) mask |= 1n << BigInt(number);
  return mask;
}

function capabilityNumbers(names: readonly string[] | undefined): readonly number[] {
  return (names ?? []).filter(isCapabilityName).map((name) => capabilities[name]);
}
