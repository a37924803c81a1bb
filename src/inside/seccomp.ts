// Loading the seccomp filter: the last thing that init can be sure to be allowed; what the filter says is made in host/.

import { capabilities } from "../abi/capability.ts";
import { seccompFilterFlags } from "../abi/seccomp.ts";
import { type Step, step } from "../program/step.ts";
import type { Process } from "../spec/types.ts";
import { capset } from "../syscall/credentials.ts";
import { close } from "../syscall/files.ts";
import { seccompLoad } from "../syscall/seccomp.ts";
import { slot } from "../syscall/value.ts";
import { capabilityMask, capabilitySets } from "./credentials.ts";

/** A filter ready for the kernel. */
export type FilterLoad = {
  /** An array of `struct sock_filter`. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*; with NEW_LISTENER the filter asks an agent. */
  readonly flags: number;
};

/** Slot of the descriptor through which an agent is asked. */
export const listenerSlot = "listener";

/** Whether the filter has calls answered by an agent, who then needs the listener. */
export function asksAgent({ flags }: Pick<FilterLoad, "flags">): boolean {
  return (flags & seccompFilterFlags.SECCOMP_FILTER_FLAG_NEW_LISTENER) !== 0;
}

const capSysAdmin = 1n << BigInt(capabilities.CAP_SYS_ADMIN);

/**
 * What the process has to keep in its permitted set until its filter is loaded: without no_new_privs the kernel demands
 * CAP_SYS_ADMIN, so that nobody can lead a setuid program astray by forbidding it calls; seccomp(2).
 */
export function keptForFilter(process: Process): bigint {
  return process.noNewPrivileges === true ? 0n : capSysAdmin;
}

/** What of it is not in the effective set that the process is to have. */
function borrowed(process: Process): bigint {
  return keptForFilter(process) & ~capabilityMask(process.capabilities?.effective);
}

/**
 * Steps that load the filter, in a process whose credentials were set with `keptForFilter`. Run by init, as the user.
 *
 * What has been kept does not outlive execve, which makes the permitted set anew from the bounding, the inheritable and the
 * ambient set (capabilities(7)); before a wait, `giveBack` gives it back.
 *
 * Spec: config-linux.md#seccomp.
 */
export function loadFilter(process: Process, filter: FilterLoad): Step[] {
  const doing = "loading the seccomp filter";
  const sets = process.capabilities ?? {};
  const besides = borrowed(process);
  return [
    ...(besides === 0n
      ? []
      : [step(doing, capset(capabilitySets(sets, { besides, effective: true })))]),
    step(doing, seccompLoad(filter.program, filter.flags), {
      slot: asksAgent(filter) ? listenerSlot : undefined,
    }),
  ];
}

/** Steps behind the load that leave exactly the capabilities asked for; the filter has to allow them. */
export function giveBack(process: Process): Step[] {
  if (borrowed(process) === 0n) return [];
  return [step("setting the capabilities", capset(capabilitySets(process.capabilities ?? {})))];
}

/** Once the agent has the listener, nobody else must have it: who has it decides about calls. */
export function closeListener(): Step[] {
  return [step("closing the listener of the seccomp filter", close(slot(listenerSlot)))];
}
