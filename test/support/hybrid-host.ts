// What runc 1.1.5 does otherwise where systemd keeps its processes in a v2 tree beside the hierarchies of cgroup v1
// (docs/compatibility.md): its containers have no group of misc, and their group in the tree is below the root, not below the caller's;
// and it can leave the binds of their groups shared with the host.

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
export function comparableCgroupPaths(paths: object): object {
  return isHybrid ? { ...paths, "": undefined, misc: undefined } : paths;
}

/** Takes the group of misc, and what is shared, out of lines of /proc/PID/mountinfo. */
export function comparableMounts(lines: readonly string[]): readonly string[] {
  if (!isHybrid) return lines;
  return lines
    .filter((line) => !/ - cgroup cgroup r[ow],misc$/.test(line))
    .map((line) => line.replace(/( (shared|master):\d+)+ - cgroup cgroup /, " - cgroup cgroup "));
}
