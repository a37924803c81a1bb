// What a cgroup's files say about the use of resources: the numbers, and the grammar that v1 and v2 have in common; it reads
// no file itself. The numbers are those of runc's `events`: what v2 counts otherwise is turned into what v1 would say.

import { raise } from "../base/fault.ts";

/** The text of a file of the group; undefined when it is not there, or the group is gone. */
export type ReadCgroup = (controller: string, file: string) => string | undefined;

/** What of the host the numbers depend on. */
export type StatsHost = {
  /** As in the names of hugetlb's files: `2MB`. */
  readonly hugePageSizes: readonly string[];
  /** The text of /proc/meminfo, for the one v2 group that does not know its usage: the root. */
  readonly readMeminfo: () => string;
};

/** Bytes, and how often the limit was hit. */
export type MemoryUse = {
  readonly limit: bigint;
  readonly usage: bigint;
  readonly max: bigint;
  readonly failures: bigint;
};

/** One line of a pressure file: percentages, and microseconds in total. */
export type PressureLine = {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly total: bigint;
};

export type Pressure = { readonly some: PressureLine; readonly full: PressureLine };

/** What one device did of one operation; `operation` is empty where the kernel does not tell them apart. */
export type DeviceCount = {
  readonly major: bigint;
  readonly minor: bigint;
  readonly operation: string;
  readonly value: bigint;
};

export type CpuStats = {
  /** Nanoseconds; for each processor on v1 only. */
  readonly usage: {
    readonly total: bigint;
    readonly percpu: readonly bigint[];
    readonly percpuKernel: readonly bigint[];
    readonly percpuUser: readonly bigint[];
    readonly kernel: bigint;
    readonly user: bigint;
  };
  readonly throttling: {
    readonly periods: bigint;
    readonly throttledPeriods: bigint;
    readonly throttledTimeNs: bigint;
  };
  readonly pressure?: Pressure | undefined;
};

export type CpusetStats = {
  readonly cpus: readonly number[];
  readonly cpuExclusive: bigint;
  readonly mems: readonly number[];
  readonly memHardwall: bigint;
  readonly memExclusive: bigint;
  readonly memoryMigrate: bigint;
  readonly memorySpreadPage: bigint;
  readonly memorySpreadSlab: bigint;
  readonly memoryPressure: bigint;
  readonly schedLoadBalance: bigint;
  /** -1 where the kernel decides. */
  readonly schedRelaxDomainLevel: bigint;
};

export type MemoryStats = {
  readonly cache: bigint;
  readonly usage: MemoryUse;
  /** Memory and swap together, as v1 counts. */
  readonly swap: MemoryUse;
  readonly kernel: MemoryUse;
  readonly kernelTcp: MemoryUse;
  /** memory.stat as it is. */
  readonly raw: ReadonlyMap<string, bigint>;
  readonly pressure?: Pressure | undefined;
};

/** A limit of 0 means that there is none. */
export type PidsStats = { readonly current: bigint; readonly limit: bigint };

/** The lists of runc's `blkio`, by its names; those that the host does not count are missing. */
export type BlkioStats = {
  readonly lists: { readonly [list in BlkioList]?: readonly DeviceCount[] };
  readonly pressure?: Pressure | undefined;
};

export type BlkioList =
  | "ioServiceBytesRecursive"
  | "ioServicedRecursive"
  | "ioQueueRecursive"
  | "ioServiceTimeRecursive"
  | "ioWaitTimeRecursive"
  | "ioMergedRecursive"
  | "ioTimeRecursive"
  | "sectorsRecursive";

export type HugetlbStats = {
  readonly usage: bigint;
  readonly max: bigint;
  readonly failures: bigint;
};

export type CgroupStats = {
  readonly cpu: CpuStats;
  readonly cpuset: CpusetStats;
  readonly memory: MemoryStats;
  readonly pids: PidsStats;
  readonly blkio: BlkioStats;
  /** By page size. */
  readonly hugetlb: ReadonlyMap<string, HugetlbStats>;
};

export const noMemory: MemoryUse = { limit: 0n, usage: 0n, max: 0n, failures: 0n };

export const noCpuset: CpusetStats = {
  cpus: [],
  cpuExclusive: 0n,
  mems: [],
  memHardwall: 0n,
  memExclusive: 0n,
  memoryMigrate: 0n,
  memorySpreadPage: 0n,
  memorySpreadSlab: 0n,
  memoryPressure: 0n,
  schedLoadBalance: 0n,
  schedRelaxDomainLevel: 0n,
};

/** What `max` means as a number: the largest of 64 bits. */
export const unlimited = 2n ** 64n - 1n;

/**
 * Reads a number of a cgroup file, `max` included. Some counters of v1 go below zero by bugs of the kernel: they are 0.
 *
 * @throws `host` fault for anything else
 */
export function parseCount(text: string): bigint {
  const word = text.trim();
  if (word === "max") return unlimited;
  return /^-\d+$/.test(word) ? 0n : parseInteger(word);
}

/**
 * Reads an integer, which may be negative.
 *
 * @throws `host` fault for anything else
 */
export function parseInteger(text: string): bigint {
  const word = text.trim();
  if (!/^-?\d+$/.test(word)) {
    raise({ kind: "host", message: `unable to parse ${JSON.stringify(word)} as a number` });
  }
  return BigInt(word);
}

/** Reads lines of `key number`; proc(5) has more of these. */
export function parseCounters(text: string): ReadonlyMap<string, bigint> {
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(
    lines.map((line) => {
      const blank = line.indexOf(" ");
      return [line.slice(0, blank), parseCount(line.slice(blank + 1))];
    }),
  );
}

/** Reads a list of numbers and ranges, such as `0-2,7`; cpuset(7), list format. */
export function parseRanges(text: string): number[] {
  const parts = text.trim().split(",");
  return parts
    .map((part) => {
      if (part === "") return [];
      const [first = "", last = first] = part.split("-");
      const start = Number(parseInteger(first));
      // No cpuset of today's kernels reaches this far: a file that says so is not one.
      const end = Math.min(Number(parseInteger(last)), 65_535);
      return Array.from({ length: Math.max(end - start + 1, 0) }, (_, index) => start + index);
    })
    .flat();
}

/** Page sizes as hugetlb's files have them, from the names in /sys/kernel/mm/hugepages: `hugepages-2048kB` is `2MB`. */
export function parseHugePageSizes(names: readonly string[]): string[] {
  return names
    .map((name) => {
      const kib = /^hugepages-(\d+)kB$/.exec(name)?.[1];
      if (kib === undefined) return [];
      const size = Number(kib);
      if (size >= 1024 * 1024) return [`${size / (1024 * 1024)}GB`];
      return [size >= 1024 ? `${size / 1024}MB` : `${size}KB`];
    })
    .flat();
}
