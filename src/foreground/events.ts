// events: tells of a container's use of resources, and of its want of memory, once or until it ends.

import { FaultError, raise } from "../base/fault.ts";
import { observe } from "../container/observe.ts";
import { initIdentity, readRecord } from "../container/record.ts";
import { requireStatus } from "../container/status.ts";
import { type ContainerPlace, containerPaths } from "../container/store.ts";
import { watchMemory } from "../host/cgroups/oom.ts";
import { readStats } from "../host/cgroups/stats.ts";
import { waitForAny } from "../host/poll.ts";
import type { CgroupPaths } from "../plan/cgroup.ts";
import type { CgroupStats } from "../plan/cgroup-stats.ts";
import { slim } from "./slim.ts";

export type ContainerEvent =
  | { readonly kind: "stats"; readonly stats: CgroupStats }
  | { readonly kind: "oom" };

export type EventsOptions = ContainerPlace & {
  readonly intervalMs: number;
  /** The statistics of now, and nothing more. */
  readonly once: boolean;
  readonly tell: (event: ContainerEvent) => void;
  /** Told of statistics that could not be read: the next ones may. */
  readonly complain: (error: FaultError) => void;
};

/**
 * Tells of events until the container ends, or nobody listens any more.
 *
 * @returns why it is over
 * @throws `id` fault; `refused` for an interval; `status`; `host` without a memory controller to watch
 */
export function tellEvents(options: EventsOptions): "ended" | "unheard" {
  const { id, intervalMs, once, tell } = options;
  const paths = containerPaths(options);
  const record = readRecord(paths);
  if (intervalMs <= 0) {
    raise({ kind: "refused", message: "duration interval must be greater than 0" });
  }
  requireStatus("events", id, observe(paths, record));
  if (once) {
    tell({ kind: "stats", stats: readStats(record.cgroup_paths) });
    return "ended";
  }
  using watch = watchMemory(record.cgroup_paths, initIdentity(record));
  let nextMs = performance.now() + intervalMs;
  for (;;) {
    const waitMs = Math.max(nextMs - performance.now(), 0);
    if (waitMs >= slimFromMs) slim();
    // Of the output only errors are asked for: a pipe has one as soon as its reader has gone.
    const [output = 0] = waitForAny([{ fd: 1, events: 0 }, ...watch.wanted()], waitMs);
    if (output !== 0) return "unheard";
    const { ooms, ended } = watch.look();
    for (let oom = 0; oom < ooms; oom += 1) tell({ kind: "oom" });
    if (ended) return "ended";
    if (performance.now() < nextMs) continue;
    tellStats(options, record.cgroup_paths);
    // Like a clock's: what could not be told in time is left out.
    nextMs = Math.max(nextMs + intervalMs, performance.now());
  }
}

/** Growing small costs some milliseconds. */
const slimFromMs = 500;

function tellStats({ tell, complain }: EventsOptions, paths: CgroupPaths): void {
  let stats: CgroupStats;
  try {
    stats = readStats(paths);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    complain(error);
    return;
  }
  tell({ kind: "stats", stats });
}
