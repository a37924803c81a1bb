// Which version of cgroups a container's groups are of, by their paths alone; small commands ask, and plan nothing.

import type { CgroupPaths } from "./cgroup.ts";

/** Whose groups these are: beside v1 hierarchies, a v2 tree is one among several. */
export function cgroupVersion(paths: CgroupPaths): "v1" | "v2" {
  return paths[""] !== undefined && Object.keys(paths).length === 1 ? "v2" : "v1";
}
