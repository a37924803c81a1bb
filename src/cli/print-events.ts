// The lines of `events`, in runc's names, order and rules of omission; not how the numbers are found (container/stats.ts).

import type {
  CgroupStats,
  CpusetStats,
  MemoryUse,
  Pressure,
  PressureLine,
} from "../plan/cgroup-stats.ts";

type Json = bigint | number | string | null | readonly Json[] | JsonObject;
/** What is undefined is left out. */
type JsonObject = { readonly [key: string]: Json | undefined };

/** The line that says that a process of the container was killed for want of memory. */
export function oomLine(id: string): string {
  return `${stringify({ type: "oom", id })}\n`;
}

/** The line with the container's statistics. */
export function statsLine(id: string, stats: CgroupStats): string {
  return `${stringify({ type: "stats", id, data: describeStats(stats) })}\n`;
}

function describeStats(stats: CgroupStats): JsonObject {
  const { cpuset, memory, pids, hugetlb } = stats;
  const sizes = [...hugetlb].map(
    ([size, { usage, max, failures }]) =>
      [size, { usage: some(usage), max: some(max), failcnt: failures }] as const,
  );
  return {
    cpu: describeCpu(stats),
    cpuset: describeCpuset(cpuset),
    memory: {
      cache: some(memory.cache),
      usage: describeUse(memory.usage),
      swap: describeUse(memory.swap),
      kernel: describeUse(memory.kernel),
      kernelTCP: describeUse(memory.kernelTcp),
      raw: memory.raw.size === 0 ? undefined : sortedObject([...memory.raw]),
      psi: describePressure(memory.pressure),
    },
    pids: { current: some(pids.current), limit: some(pids.limit) },
    blkio: describeBlkio(stats),
    hugetlb: sortedObject(sizes),
    // Only containers with linux.intelRdt have some, and only the network devices that libcontainer makes are counted.
    intel_rdt: {},
    network_interfaces: null,
  };
}

function describeCpu({ cpu }: CgroupStats): JsonObject {
  const { usage, throttling, pressure } = cpu;
  return {
    usage: {
      total: some(usage.total),
      percpu: someOf(usage.percpu),
      percpu_kernel: someOf(usage.percpuKernel),
      percpu_user: someOf(usage.percpuUser),
      kernel: usage.kernel,
      user: usage.user,
    },
    throttling: {
      periods: some(throttling.periods),
      throttledPeriods: some(throttling.throttledPeriods),
      throttledTime: some(throttling.throttledTimeNs),
    },
    psi: describePressure(pressure),
  };
}

function describeCpuset(cpuset: CpusetStats): JsonObject {
  return {
    cpus: someOf(cpuset.cpus),
    cpu_exclusive: cpuset.cpuExclusive,
    mems: someOf(cpuset.mems),
    mem_hardwall: cpuset.memHardwall,
    mem_exclusive: cpuset.memExclusive,
    memory_migrate: cpuset.memoryMigrate,
    memory_spread_page: cpuset.memorySpreadPage,
    memory_spread_slab: cpuset.memorySpreadSlab,
    memory_pressure: cpuset.memoryPressure,
    sched_load_balance: cpuset.schedLoadBalance,
    sched_relax_domain_level: cpuset.schedRelaxDomainLevel,
  };
}

function describeUse({ limit, usage, max, failures }: MemoryUse): JsonObject {
  return { limit, usage: some(usage), max: some(max), failcnt: failures };
}

function describeBlkio({ blkio }: CgroupStats): JsonObject {
  const { lists, pressure } = blkio;
  const list = (name: keyof typeof lists): Json | undefined =>
    lists[name]?.map(({ major, minor, operation, value }) => ({
      major: some(major),
      minor: some(minor),
      op: operation === "" ? undefined : operation,
      value: some(value),
    }));
  return {
    ioServiceBytesRecursive: list("ioServiceBytesRecursive"),
    ioServicedRecursive: list("ioServicedRecursive"),
    ioQueueRecursive: list("ioQueueRecursive"),
    ioServiceTimeRecursive: list("ioServiceTimeRecursive"),
    ioWaitTimeRecursive: list("ioWaitTimeRecursive"),
    ioMergedRecursive: list("ioMergedRecursive"),
    ioTimeRecursive: list("ioTimeRecursive"),
    sectorsRecursive: list("sectorsRecursive"),
    psi: describePressure(pressure),
  };
}

function describePressure(pressure: Pressure | undefined): JsonObject | undefined {
  if (pressure === undefined) return undefined;
  const line = ({ avg10, avg60, avg300, total }: PressureLine): JsonObject => {
    return { avg10, avg60, avg300, total };
  };
  return { some: line(pressure.some), full: line(pressure.full) };
}

/** What Go's `omitempty` leaves of a number. */
function some(value: bigint): bigint | undefined {
  return value === 0n ? undefined : value;
}

/** What Go's `omitempty` leaves of a list. */
function someOf<T>(values: readonly T[]): readonly T[] | undefined {
  return values.length === 0 ? undefined : values;
}

/** Go writes the keys of a map in order. */
function sortedObject(entries: readonly (readonly [string, Json])[]): JsonObject {
  return Object.fromEntries([...entries].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** As JSON.stringify, but numbers of 64 bits stay exact. */
function stringify(value: Json): string {
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (isList(value)) return `[${value.map(stringify).join(",")}]`;
  const members = Object.entries(value)
    .map(([key, member]) =>
      member === undefined ? [] : [`${JSON.stringify(key)}:${stringify(member)}`],
    )
    .flat();
  return `{${members.join(",")}}`;
}

/** Array.isArray does not tell a list that is read-only from an object. */
function isList(value: readonly Json[] | JsonObject): value is readonly Json[] {
  return Array.isArray(value);
}
