// What a container's groups in v1 hierarchies say about its use of resources, from the texts of their files.

import {
  type BlkioList,
  type BlkioStats,
  type CgroupStats,
  type CpuStats,
  type CpusetStats,
  type DeviceCount,
  type HugetlbStats,
  type MemoryStats,
  type MemoryUse,
  noCpuset,
  noMemory,
  type PidsStats,
  parseCount,
  parseCounters,
  parseInteger,
  parseRanges,
  type ReadCgroup,
  type StatsHost,
  unlimited,
} from "./cgroup-stats.ts";

/**
 * Collects the statistics. A hierarchy that is not there, and one whose group is gone, counts as zero.
 *
 * @throws `host` fault for a file that does not look as it should
 */
export function collectStatsV1(read: ReadCgroup, host: StatsHost): CgroupStats {
  return {
    cpu: collectCpu(read),
    cpuset: collectCpuset(read),
    memory: collectMemory(read),
    pids: collectPids(read),
    blkio: collectBlkio(read),
    hugetlb: collectHugetlb(read, host.hugePageSizes),
  };
}

/** cpuacct.stat counts in USER_HZ, which is 100 on every architecture that we run on. */
const tickNs = 10_000_000n;

function collectCpu(read: ReadCgroup): CpuStats {
  const throttling = parseCounters(read("cpu", "cpu.stat") ?? "");
  const ticks = parseCounters(read("cpuacct", "cpuacct.stat") ?? "");
  const rows = (read("cpuacct", "cpuacct.usage_all") ?? "")
    .split("\n")
    .slice(1)
    .map((line) => line.split(" "))
    .filter((columns) => columns.length === 3);
  return {
    usage: {
      total: parseCount(read("cpuacct", "cpuacct.usage") ?? "0"),
      percpu: words(read("cpuacct", "cpuacct.usage_percpu") ?? "").map(parseCount),
      percpuKernel: rows.map(([, , kernel = ""]) => parseCount(kernel)),
      percpuUser: rows.map(([, user = ""]) => parseCount(user)),
      kernel: (ticks.get("system") ?? 0n) * tickNs,
      user: (ticks.get("user") ?? 0n) * tickNs,
    },
    throttling: {
      periods: throttling.get("nr_periods") ?? 0n,
      throttledPeriods: throttling.get("nr_throttled") ?? 0n,
      throttledTimeNs: throttling.get("throttled_time") ?? 0n,
    },
  };
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function collectCpuset(read: ReadCgroup): CpusetStats {
  const text = (name: string): string => read("cpuset", `cpuset.${name}`) ?? "";
  const count = (name: string): bigint => parseCount(text(name) || "0");
  if (text("cpus") === "") return noCpuset;
  return {
    cpus: parseRanges(text("cpus")),
    cpuExclusive: count("cpu_exclusive"),
    mems: parseRanges(text("mems")),
    memHardwall: count("mem_hardwall"),
    memExclusive: count("mem_exclusive"),
    memoryMigrate: count("memory_migrate"),
    memorySpreadPage: count("memory_spread_page"),
    memorySpreadSlab: count("memory_spread_slab"),
    memoryPressure: count("memory_pressure"),
    schedLoadBalance: count("sched_load_balance"),
    schedRelaxDomainLevel: parseInteger(text("sched_relax_domain_level") || "0"),
  };
}

function collectMemory(read: ReadCgroup): MemoryStats {
  const raw = parseCounters(read("memory", "memory.stat") ?? "");
  return {
    cache: raw.get("cache") ?? 0n,
    usage: collectMemoryUse(read, "memory"),
    swap: collectMemoryUse(read, "memory.memsw"),
    kernel: collectMemoryUse(read, "memory.kmem"),
    kernelTcp: collectMemoryUse(read, "memory.kmem.tcp"),
    raw,
  };
}

/** Swap and kernel memory are options of the kernel. */
function collectMemoryUse(read: ReadCgroup, prefix: string): MemoryUse {
  const usage = read("memory", `${prefix}.usage_in_bytes`);
  if (usage === undefined) return noMemory;
  const count = (name: string): bigint => parseCount(read("memory", `${prefix}.${name}`) ?? "0");
  return {
    limit: count("limit_in_bytes"),
    usage: parseCount(usage),
    max: count("max_usage_in_bytes"),
    failures: count("failcnt"),
  };
}

function collectPids(read: ReadCgroup): PidsStats {
  const limit = parseCount(read("pids", "pids.max") ?? "max");
  return {
    current: parseCount(read("pids", "pids.current") ?? "0"),
    limit: limit === unlimited ? 0n : limit,
  };
}

type BlkioFiles = readonly (readonly [file: string, list: BlkioList])[];

const everyList: BlkioFiles = [
  ["sectors_recursive", "sectorsRecursive"],
  ["io_service_time_recursive", "ioServiceTimeRecursive"],
  ["io_wait_time_recursive", "ioWaitTimeRecursive"],
  ["io_merged_recursive", "ioMergedRecursive"],
  ["io_queued_recursive", "ioQueueRecursive"],
  ["time_recursive", "ioTimeRecursive"],
  ["io_serviced_recursive", "ioServicedRecursive"],
  ["io_service_bytes_recursive", "ioServiceBytesRecursive"],
];
const bothLists: BlkioFiles = everyList.slice(-2);
const flatLists: BlkioFiles = bothLists.map(([file, list]) => [
  file.replace("_recursive", ""),
  list,
]);

/** What the schedulers count, from the most to the least: BFQ with debugging, BFQ, CFQ of old kernels, then throttling. */
const blkioSources: readonly (readonly [prefix: string, files: BlkioFiles])[] = [
  ["blkio.bfq", everyList],
  ["blkio.bfq", bothLists],
  ["blkio", everyList],
  ["blkio.throttle", bothLists],
  ["blkio.throttle", flatLists],
];

/** The first source that counts anything is taken, as by runc. */
function collectBlkio(read: ReadCgroup): BlkioStats {
  for (const [prefix, files] of blkioSources) {
    const found = files.map(([file, list]) => {
      return [list, parseDeviceCounts(read("blkio", `${prefix}.${file}`) ?? "")] as const;
    });
    if (found[0] === undefined || found[0][1].length === 0) continue;
    return { lists: Object.fromEntries(found.filter(([, counts]) => counts.length > 0)) };
  }
  return { lists: {} };
}

/** Reads lines of `8:0 Read 1282048` or `8:0 6792`; the line of the total of all devices is left out. */
function parseDeviceCounts(text: string): readonly DeviceCount[] {
  return text
    .split("\n")
    .map((line) => {
      const fields = line.split(/[ :]/);
      if (fields.length < 3) return [];
      const [major = "", minor = ""] = fields;
      const operation = fields.length === 4 ? (fields[2] ?? "") : "";
      const value = parseCount(fields.at(-1) ?? "");
      return [{ major: parseCount(major), minor: parseCount(minor), operation, value }];
    })
    .flat();
}

function collectHugetlb(
  read: ReadCgroup,
  sizes: readonly string[],
): ReadonlyMap<string, HugetlbStats> {
  const found = sizes
    .map((size) => {
      // What is reserved counts, where the kernel tells: the limit of reservations cannot be hit later than at the reservation.
      const prefix = [`hugetlb.${size}.rsvd`, `hugetlb.${size}`].find(
        (each) => read("hugetlb", `${each}.usage_in_bytes`) !== undefined,
      );
      if (prefix === undefined) return [];
      const count = (name: string): bigint =>
        parseCount(read("hugetlb", `${prefix}.${name}`) ?? "0");
      const stats = {
        usage: count("usage_in_bytes"),
        max: count("max_usage_in_bytes"),
        failures: count("failcnt"),
      };
      return [[size, stats] as const];
    })
    .flat();
  return new Map(found);
}
