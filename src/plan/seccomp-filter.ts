// When the filter of a container is loaded, and what follows; pure. Loaded only where there is a profile.
//
//   create      as its last act, where runc loads it and callers may look for it; but by start if it forbids what init does
//               in between: waiting for start, and the last limits. Profiles are recorded with one runtime and used with
//               another, and the stub makes other calls than runc.
//   run, exec   right before execve
//   asks an agent: once everything has been done that needs no filter. The runtime hands the listener on before init makes
//               another call: the agent may be asked about that one.

import { seccompFilterFlags } from "../abi/seccomp.ts";
import { syscallNames, syscallNumber } from "../abi/syscall-numbers.ts";
import { raise } from "../base/fault.ts";
import {
  asksAgent,
  closeListener,
  type FilterLoad,
  giveBack,
  keptForFilter,
  loadFilter,
} from "../inside/seccomp.ts";
import { batch, host } from "../program/program.ts";
import type { Seccomp } from "../spec/seccomp.ts";
import type { Process } from "../spec/types.ts";
import type { PlannedFilter } from "./host-facts.ts";

/**
 * The flags that a profile is loaded with. TSYNC means nothing to a process with one thread, as with runc; without any
 * word about flags the filter does not slow the processor down (SPEC_ALLOW), as with runc.
 */
export function filterFlags({ flags }: Pick<Seccomp, "flags">, asks: boolean): number {
  const { SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_NEW_LISTENER } = seccompFilterFlags;
  let value = flags === undefined ? SECCOMP_FILTER_FLAG_SPEC_ALLOW : 0;
  for (const flag of flags ?? []) {
    if (flag !== "SECCOMP_FILTER_FLAG_TSYNC") value |= seccompFilterFlags[flag];
  }
  return asks ? value | SECCOMP_FILTER_FLAG_NEW_LISTENER : value;
}

/**
 * Plans the filter of a container.
 *
 * @param filter.forbidden number of a call that it forbids and that init makes before it executes the program
 *   (seccomp-remaining.ts); -1 when there is none
 * @throws `refused` fault when a filter that asks an agent forbids such a call
 */
export function planContainerFilter(
  process: Process,
  fate: "parked" | "started",
  filter: FilterLoad & { readonly forbidden: number },
): PlannedFilter {
  const { forbidden } = filter;
  if (asksAgent(filter)) {
    if (forbidden >= 0) refuseForbidden(forbidden);
    return loadedForAgent(process, filter);
  }
  if (fate === "started" || forbidden >= 0) return loadedLast(process, filter);
  const atCreate = [...loadFilter(process, filter), ...giveBack(process)];
  return { kept: keptForFilter(process), atCreate, behind: [], atStart: [] };
}

/** Plans the filter of a process of exec, which asks nobody to wait. */
export function planProcessFilter(process: Process, filter: FilterLoad): PlannedFilter {
  return asksAgent(filter) ? loadedForAgent(process, filter) : loadedLast(process, filter);
}

function loadedLast(process: Process, filter: FilterLoad): PlannedFilter {
  const atStart = loadFilter(process, filter);
  return { kept: keptForFilter(process), atCreate: [], behind: [], atStart };
}

function loadedForAgent(process: Process, filter: FilterLoad): PlannedFilter {
  return {
    kept: keptForFilter(process),
    atCreate: [],
    behind: [
      // A batch of its own, which ends with the load: other batches end with a jump, a call that the filter might ask about.
      batch("filter", loadFilter(process, filter)),
      host("send-listener"),
      batch("listener", [...closeListener(), ...giveBack(process)]),
    ],
    atStart: [],
  };
}

function refuseForbidden(forbidden: number): never {
  const name = syscallNames().find((each) => syscallNumber(each) === forbidden) ?? forbidden;
  const message = `linux.seccomp: a profile with SCMP_ACT_NOTIFY has to let ${name} through, which is called before the program is executed`;
  return raise({ kind: "refused", message });
}
