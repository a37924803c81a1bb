// What the name of a cgroup can be, where an annotation gives one: a single name that is not a file's of every cgroup.

import { delegateCgroup, systemdSubgroup } from "../annotations.ts";
import { isLongerThan, show } from "./rule.ts";

/** What the kernel names the files of a group after: `memory.max`. */
const filePrefixes: readonly string[] = [
  ...["cgroup", "cpu", "cpuacct", "cpuset", "io", "blkio", "memory", "pids", "hugetlb", "rdma"],
  ...["dmem", "misc", "irq", "devices", "freezer", "net_cls", "net_prio", "perf_event", "debug"],
];

/** Files of a v1 group that are named after nothing. */
const fileNames: readonly string[] = ["tasks", "notify_on_release", "release_agent"];

/** NAME_MAX of the kernel. */
const nameMaxBytes = 255;

/** What is wrong with an annotation that names a group; undefined for any other. An empty name asks for no group. */
export function judgeGroupAnnotation(key: string, name: string): string | undefined {
  if ((key !== systemdSubgroup && key !== delegateCgroup) || name === "") return undefined;
  const reason = judgeGroupName(name);
  return reason && `must be the name of one cgroup, ${reason}, got ${show(name)}`;
}

function judgeGroupName(name: string): string | undefined {
  if (name === "." || name === "..") return "and not the way to another";
  if (name.includes("/")) return "without slashes";
  // The kernel writes names into lines of /proc/PID/cgroup. NUL bytes are no annotation's.
  if (name.includes("\n")) return "without line ends";
  if (isLongerThan(nameMaxBytes, name)) return `of at most ${nameMaxBytes} bytes`;
  const prefix = name.slice(0, Math.max(0, name.indexOf(".")));
  if (filePrefixes.includes(prefix) || fileNames.includes(name)) {
    return "and not one that the kernel may have given to a file of it";
  }
  return undefined;
}
