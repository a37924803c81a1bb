// Reads what a container's cgroup says about its use of resources; what the files mean is plan/cgroup-stats*.ts.

import { FaultError } from "../../base/fault.ts";
import type { CgroupPaths } from "../../plan/cgroup.ts";
import { type CgroupStats, parseHugePageSizes, type ReadCgroup } from "../../plan/cgroup-stats.ts";
import { collectStatsV1 } from "../../plan/cgroup-stats-v1.ts";
import { collectStatsV2 } from "../../plan/cgroup-stats-v2.ts";
import { cgroupVersion } from "../../plan/cgroup-version.ts";
import { listDirectory, readText, readTextIfPresent } from "../files.ts";

const doing = "reading the container's statistics";
/** A line for each of thousands of devices or processors stays well below. */
const fileMaxBytes = 4 * 1024 * 1024;

/**
 * Reads the statistics of the group. Files that are not there, and a group that has gone meanwhile, count as zero.
 *
 * @throws `host` fault for a file that does not look as it should; `syscall` for one that cannot be read
 */
export function readStats(paths: CgroupPaths): CgroupStats {
  const read: ReadCgroup = (controller, file) => {
    const directory = paths[controller];
    return directory === undefined ? undefined : readIfPossible(`${directory}/${file}`);
  };
  const sizes = listDirectory("/sys/kernel/mm/hugepages", doing) ?? [];
  const host = {
    hugePageSizes: parseHugePageSizes(sizes.map(({ name }) => name)),
    readMeminfo: () => readText("/proc/meminfo", doing),
  };
  return cgroupVersion(paths) === "v1" ? collectStatsV1(read, host) : collectStatsV2(read, host);
}

/** The group may be removed between two files; a threaded group has no cgroup.procs, and a kernel can have pressure off. */
const absences: readonly string[] = ["ENODEV", "EOPNOTSUPP"];

function readIfPossible(path: string): string | undefined {
  try {
    return readTextIfPresent(path, doing, fileMaxBytes);
  } catch (error) {
    const fault = error instanceof FaultError ? error.fault : undefined;
    if (fault?.kind === "syscall" && absences.includes(fault.errno)) return undefined;
    throw error;
  }
}
