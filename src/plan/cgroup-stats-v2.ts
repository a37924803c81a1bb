// What a container's group in the v2 tree says about its use of resources, from the texts of its files, in the terms of v1.

import { raise } from "../base/fault.ts";
import {
  type BlkioList,
  type BlkioStats,
  type CgroupStats,
  type CpuStats,
  type DeviceCount,
  type HugetlbStats,
  type MemoryStats,
  type MemoryUse,
  noCpuset,
  noMemory,
  type PidsStats,
  type Pressure,
  type PressureLine,
  parseCount,
  parseCounters,
  type ReadCgroup,
  type StatsHost,
  unlimited,
} from "./cgroup-stats.ts";

/** The files of the group: v2 has one directory for all controllers. */
type Read = (file: string) => string | undefined;

/**
 * Collects the statistics. A controller that is not enabled counts as zero. There are none of cpuset, as with runc.
 *
 * @throws `host` fault for a file that does not look as it should
 */
export function collectStatsV2(readCgroup: ReadCgroup, host: StatsHost): CgroupStats {
  const read: Read = (file) => readCgroup("", file);
  return {
    cpu: collectCpu(read),
    cpuset: noCpuset,
    memory: collectMemory(read, host.readMeminfo),
    pids: collectPids(read),
    blkio: collectBlkio(read),
    hugetlb: collectHugetlb(read, host.hugePageSizes),
  };
}

function collectCpu(read: Read): CpuStats {
  const counters = parseCounters(read("cpu.stat") ?? "");
  const count = (name: string): bigint => counters.get(name) ?? 0n;
  const nanoseconds = (name: string): bigint => count(name) * 1000n;
  return {
    usage: {
      total: nanoseconds("usage_usec"),
      percpu: [],
      percpuKernel: [],
      percpuUser: [],
      kernel: nanoseconds("system_usec"),
      user: nanoseconds("user_usec"),
    },
    throttling: {
      periods: count("nr_periods"),
      throttledPeriods: count("nr_throttled"),
      throttledTimeNs: nanoseconds("throttled_usec"),
    },
    pressure: parsePressure(read("cpu.pressure")),
  };
}

function collectMemory(read: Read, readMeminfo: () => string): MemoryStats {
  const text = read("memory.stat");
  const raw = parseCounters(text ?? "");
  const usage = collectMemoryUse(read, "memory");
  const isRoot = text !== undefined && usage === undefined;
  const uses = isRoot ? usesOfRoot(raw, readMeminfo()) : usesOfGroup(usage, read);
  return {
    cache: raw.get("file") ?? 0n,
    ...uses,
    kernel: noMemory,
    kernelTcp: noMemory,
    raw,
    pressure: parsePressure(read("memory.pressure")),
  };
}

type MemoryUses = Pick<MemoryStats, "usage" | "swap">;

/** v1 has memory and swap in one number, and their peaks cannot be added. */
function usesOfGroup(usage = noMemory, read: Read): MemoryUses {
  const swapOnly = collectMemoryUse(read, "memory.swap") ?? noMemory;
  const limit = swapOnly.limit === unlimited ? unlimited : swapOnly.limit + usage.limit;
  const swap = { ...swapOnly, usage: swapOnly.usage + usage.usage, limit, max: 0n };
  return { usage, swap };
}

/** The root group has no usage of its own: it is that of the host, as far as v1 would have counted it. */
function usesOfRoot(raw: ReadonlyMap<string, bigint>, meminfo: string): MemoryUses {
  const kib = (key: string): bigint =>
    BigInt(new RegExp(`^${key}: +(\\d+) kB$`, "m").exec(meminfo)?.[1] ?? 0);
  const usage = (raw.get("anon") ?? 0n) + (raw.get("file") ?? 0n);
  const swapped = (kib("SwapTotal") - kib("SwapFree")) * 1024n;
  return {
    usage: { ...noMemory, limit: unlimited, usage },
    swap: { ...noMemory, limit: unlimited, usage: usage + swapped },
  };
}

/** Undefined where the group has no such files: swap is an option of the kernel, and the peaks came with 5.19 and 6.5. */
function collectMemoryUse(read: Read, prefix: string): MemoryUse | undefined {
  const usage = read(`${prefix}.current`);
  if (usage === undefined) return undefined;
  return {
    limit: parseCount(read(`${prefix}.max`) ?? "max"),
    usage: parseCount(usage),
    max: parseCount(read(`${prefix}.peak`) ?? "0"),
    failures: 0n,
  };
}

function collectPids(read: Read): PidsStats {
  const current = read("pids.current");
  if (current === undefined) {
    // Without the controller they can still be counted; a threaded group lists only threads.
    const listed = read("cgroup.procs") ?? read("cgroup.threads") ?? "";
    return { current: BigInt(listed.split("\n").length - 1), limit: 0n };
  }
  const limit = parseCount(read("pids.max") ?? "max");
  return { current: parseCount(current), limit: limit === unlimited ? 0n : limit };
}

/** Key of io.stat to list and operation; what else is there has no place in v1's lists. */
const ioKeys: Readonly<Record<string, readonly [list: BlkioList, operation: string]>> = {
  rbytes: ["ioServiceBytesRecursive", "Read"],
  wbytes: ["ioServiceBytesRecursive", "Write"],
  rios: ["ioServicedRecursive", "Read"],
  wios: ["ioServicedRecursive", "Write"],
};

/** Reads lines of `8:0 rbytes=1282048 wbytes=2195456 rios=124`. */
function collectBlkio(read: Read): BlkioStats {
  const lists: { [list in BlkioList]?: DeviceCount[] } = {};
  for (const line of (read("io.stat") ?? "").split("\n")) {
    const [device = "", ...pairs] = line.split(" ");
    const [major, minor] = device.split(":");
    if (major === undefined || minor === undefined) continue;
    for (const pair of pairs) {
      const [key = "", value = ""] = pair.split("=");
      const place = ioKeys[key];
      if (place === undefined) continue;
      const [list, operation] = place;
      lists[list] ??= [];
      lists[list].push({
        major: parseCount(major),
        minor: parseCount(minor),
        operation,
        value: parseCount(value),
      });
    }
  }
  return { lists, pressure: parsePressure(read("io.pressure")) };
}

function collectHugetlb(read: Read, sizes: readonly string[]): ReadonlyMap<string, HugetlbStats> {
  const found = sizes
    .map((size) => {
      const prefix = `hugetlb.${size}`;
      // What is reserved counts, where the kernel tells, as on v1; there is one file of events for both.
      const usage = read(`${prefix}.rsvd.current`) ?? read(`${prefix}.current`);
      if (usage === undefined) return [];
      const failures = parseCounters(read(`${prefix}.events`) ?? "").get("max") ?? 0n;
      return [[size, { usage: parseCount(usage), max: 0n, failures }] as const];
    })
    .flat();
  return new Map(found);
}

const noPressure: PressureLine = { avg10: 0, avg60: 0, avg300: 0, total: 0n };

/**
 * Reads a pressure file, lines of `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`; the kernel's accounting/psi.rst.
 *
 * @returns undefined without a text: the kernel keeps none, or not for this group
 */
function parsePressure(text: string | undefined): Pressure | undefined {
  if (text === undefined) return undefined;
  const lines = new Map(
    text.split("\n").map((line) => {
      const [kind = "", ...pairs] = line.split(" ");
      return [kind, new Map(pairs.map((pair) => splitPair(pair)))];
    }),
  );
  const line = (kind: string): PressureLine => {
    const values = lines.get(kind);
    if (values === undefined) return noPressure;
    const share = (key: string): number => Number(values.get(key) ?? 0);
    const averages = { avg10: share("avg10"), avg60: share("avg60"), avg300: share("avg300") };
    if (Object.values(averages).some(Number.isNaN)) {
      raise({ kind: "host", message: `unable to parse ${JSON.stringify(text)} as pressure` });
    }
    return { ...averages, total: parseCount(values.get("total") ?? "0") };
  };
  return { some: line("some"), full: line("full") };
}

function splitPair(pair: string): readonly [string, string] {
  const equals = pair.indexOf("=");
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}
