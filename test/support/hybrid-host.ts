// What runc 1.1.5 does otherwise where systemd keeps its processes in a v2 tree beside the hierarchies of cgroup v1
// (docs/compatibility.md): its containers have no group of misc, and their group in the tree is below the root, not below the caller's.

import { readFileSync } from "node:fs";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";

/** Whether the host is such a one; elsewhere nothing is taken out. */
const isHybrid =
  readCgroupHost().version === "v1" && /^0::\/./m.test(readFileSync("/proc/self/cgroup", "utf8"));

/** Takes these two groups out of a text with lines of /proc/PID/cgroup. */
export function comparableGroups(text: string): string {
  return isHybrid ? text.replaceAll(/\d+:misc:\S*|\b0::\S*/g, "") : text;
}

/** Takes them out of the `cgroup_paths` of a record. */
export function comparableCgroupPaths(paths: Readonly<Record<string, string>>): object {
  const { "": tree, misc, ...others } = paths;
  return isHybrid ? others : paths;
}
