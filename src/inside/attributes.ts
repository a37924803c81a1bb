// How the container's process is scheduled, where its memory comes from, and what machine it takes itself to be on; nothing
// of this is about rights.

import { memoryPolicyFlags, schedulingFlags } from "../abi/scheduling.ts";
import { type Step, step } from "../program/step.ts";
import { listIndexes } from "../spec/index-list.ts";
import { toUint64 } from "../spec/integers.ts";
import type { IoPriority, Linux, MemoryPolicy, Process, Scheduler } from "../spec/types.ts";
import {
  ioprioSet,
  personality,
  schedSetaffinity,
  schedSetattr,
  setMempolicy,
} from "../syscall/scheduling.ts";

/**
 * Steps that set policy and I/O priority. They need the host's CAP_SYS_NICE: run by init while it is the host's root; with
 * a user namespace by the runtime, on init.
 *
 * Spec: config.md#linux-process (scheduler, ioPriority); sched_setattr(2), ioprio_set(2).
 *
 * @param pid the process, seen by who runs the steps; 0 is that one itself
 */
export function planScheduling({ scheduler, ioPriority }: Process, pid = 0): Step[] {
  return [
    ...(scheduler === undefined ? [] : [setScheduler(scheduler, pid)]),
    ...(ioPriority === undefined ? [] : [setIoPriority(ioPriority, pid)]),
  ];
}

function setScheduler(scheduler: Scheduler, pid: number): Step {
  const { policy, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler;
  const { flags: names = [] } = scheduler;
  const flags = names.reduce((sum, flag) => sum | schedulingFlags[flag], 0);
  const given = Object.entries({ nice, priority, runtime, deadline, period })
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} ${value}`);
  return step(
    `setting the scheduler ${[policy, ...given, ...names].join(", ")}`,
    schedSetattr(pid, {
      policy,
      flags,
      nice,
      priority,
      runtime: toUint64(runtime),
      deadline: toUint64(deadline),
      period: toUint64(period),
    }),
  );
}

function setIoPriority({ class: of, priority = 0 }: IoPriority, pid: number): Step {
  return step(
    `setting the I/O priority ${of} ${priority}`,
    ioprioSet(pid, { class: of, priority }),
  );
}

/** Steps that set what execve hands on to the program. Run by init, whatever its rights. */
export function planExecutionDomain({ personality: asked, memoryPolicy }: Linux): Step[] {
  return [
    // Spec: config-linux.md#personality: flags are reserved, and warned of.
    ...(asked?.domain === undefined
      ? []
      : [step(`setting the personality ${asked.domain}`, personality(`PER_${asked.domain}`))]),
    ...(memoryPolicy === undefined ? [] : planMemoryPolicy(memoryPolicy)),
  ];
}

/** Spec: config-linux.md#memory-policy; set_mempolicy(2). */
function planMemoryPolicy({ mode, nodes = "", flags = [] }: MemoryPolicy): Step[] {
  if (mode === undefined) return [];
  const bits = flags.reduce((sum, flag) => sum | memoryPolicyFlags[flag], 0);
  return [
    step(
      `setting the memory policy ${[mode, nodes, ...flags].filter((word) => word !== "").join(" ")}`,
      setMempolicy(mode, bits, indexMask(nodes)),
    ),
  ];
}

/**
 * Puts a process on the processors of a list; `which` tells one list of `process.execCPUAffinity` from the other.
 *
 * Spec: config.md#linux-process (execCPUAffinity); sched_setaffinity(2).
 */
export function setAffinity(which: "initial" | "final", list: string): Step {
  return step(
    `error setting ${which} CPU affinity (${list})`,
    schedSetaffinity(0, indexMask(list)),
  );
}

/** A list of numbers as a bit mask of whole 64-bit words. */
function indexMask(list: string): Uint8Array {
  const indexes = listIndexes(list);
  const last = indexes.reduce((most, index) => Math.max(most, index), -1);
  const mask = new Uint8Array(Math.ceil((last + 1) / 64) * 8);
  for (const index of indexes) mask[index >> 3] = (mask[index >> 3] ?? 0) | (1 << (index & 7));
  return mask;
}
