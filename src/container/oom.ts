// Says of an init that has died that the kernel killed it for want of memory; loaded where something has failed.

import { FaultError } from "../base/fault.ts";
import { countOomKills } from "../host/cgroups/processes.ts";
import type { CgroupPaths } from "../plan/cgroup.ts";

/** The error in place of one that says no more than that init has died: the limit is too low for anything to start. */
export function explainOom(error: unknown, paths: CgroupPaths): unknown {
  const died = error instanceof FaultError && error.fault.kind === "init-died";
  if (!died || countOomKills(paths) === 0) return error;
  const message = "container init was OOM-killed (memory limit too low?)";
  return new FaultError({ kind: "refused", message }, { cause: error });
}
