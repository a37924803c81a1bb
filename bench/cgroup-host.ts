// What crun needs of a host with cgroup v1 and an unused v2 tree; taken back after the comparison.

import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { readCgroupHost } from "../src/host/cgroups/host.ts";

const place = "/sys/fs/cgroup/hugetlb";

export type Help = Disposable & { readonly done: string | undefined };

/**
 * Mounts the v1 hierarchy `hugetlb` where crun would refuse to start otherwise: it does while the v2 tree of a v1 host holds a
 * controller. All runtimes then use one hierarchy more. A hierarchy that is there already is left alone.
 */
export function helpCrun(): Help {
  const none = { done: undefined, [Symbol.dispose]: () => undefined };
  if (readCgroupHost().version === "v2" || !v2HoldsHugetlb() || isMounted()) return none;
  const made = !existsSync(place);
  if (made) mkdirSync(place);
  const mount = Bun.spawnSync(["mount", "-t", "cgroup", "-o", "hugetlb", "cgroup", place]);
  const dispose = (): void => {
    if (isMounted()) Bun.spawnSync(["umount", place]);
    if (made && !isMounted()) rmdirSync(place);
  };
  if (mount.success) return { done: `mounted ${place} for crun`, [Symbol.dispose]: dispose };
  dispose();
  return none;
}

function isMounted(): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8").includes(` ${place} `);
}

function v2HoldsHugetlb(): boolean {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const tree = mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
  if (tree === undefined) return false;
  return readFileSync(`${tree}/cgroup.controllers`, "utf8").split(/\s/).includes("hugetlb");
}
