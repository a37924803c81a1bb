// Says `linux.resources` in properties of a unit, so that systemd keeps them when it sets up the group anew; what it has no
// property for is written into the group's files alone.

import { raise } from "../base/fault.ts";
import { ownMember } from "../base/own-member.ts";
import { listIndexes } from "../spec/index-list.ts";
import { toInt64, toUint64 } from "../spec/integers.ts";
import type { Cpu, LinuxResources } from "../spec/resources.ts";
import type { CgroupPlan } from "./cgroup.ts";
import { convertCpuShares, convertMemorySwap } from "./cgroup-v2.ts";
import type { UnitProperty } from "./systemd-unit.ts";

/** How systemd says that there is no limit. */
const infinity = 2n ** 64n - 1n;
const defaultPeriodUs = 100_000n;

export type PropertyFacts = {
  readonly version: CgroupPlan["version"];
  /** systemd's, such as 252. */
  readonly systemd: number;
};

/**
 * Plans the properties of everything but devices (systemd-devices.ts), in runc's order.
 *
 * @throws `refused` for unified values that cannot be meant
 */
export function planUnitResources(
  resources: LinuxResources,
  facts: PropertyFacts,
): readonly UnitProperty[] {
  const { cpu = {}, pids } = resources;
  return [
    ...(facts.version === "v2" ? memoryV2(resources) : memoryV1(resources)),
    ...planCpu(cpu, facts),
    ...planQuota(cpu, facts.systemd),
    ...planTasks(pids?.limit),
    ...planCpuset(cpu, facts.systemd),
    ...(facts.version === "v2" ? planUnified(resources, facts.systemd) : []),
  ];
}

/** Where no limit is not said by the largest number. */
const floors: readonly string[] = ["MemoryLow", "MemoryMin"];

/** What takes back a change of properties: the former values, and for what had none, that there is no limit. */
export function planUnitReturn(
  changed: readonly UnitProperty[],
  former: readonly UnitProperty[],
): readonly UnitProperty[] {
  return changed.map((property) => {
    const { name, value } = property;
    const nothing = Array.isArray(value) ? [] : floors.includes(name) ? 0n : infinity;
    return former.find((one) => one.name === name) ?? { ...property, value: nothing };
  });
}

function memoryV1({ memory = {}, blockIO = {} }: LinuxResources): UnitProperty[] {
  const { limit = 0 } = memory;
  const { weight = 0 } = blockIO;
  return [
    ...(limit === 0 ? [] : [wide("MemoryLimit", words(limit))]),
    ...(weight === 0 ? [] : [wide("BlockIOWeight", toUint64(weight))]),
  ];
}

function memoryV2({ memory = {} }: LinuxResources): UnitProperty[] {
  const { limit = 0, reservation = 0, swap = 0 } = memory;
  const swapMax = convertMemorySwap({ limit, swap });
  // As with runc: that there shall be no swap is written to the file alone.
  return [
    ...(limit === 0 ? [] : [wide("MemoryMax", words(limit))]),
    ...(reservation === 0 ? [] : [wide("MemoryLow", words(reservation))]),
    ...(swapMax === undefined || swapMax === "0"
      ? []
      : [wide("MemorySwapMax", swapMax === "max" ? infinity : BigInt(swapMax))]),
  ];
}

/** A number in which everything below 0 says that there is no limit. */
function words(value: number): bigint {
  return value < 0 ? infinity : toInt64(value);
}

/** An idle group has no weight; systemd knows of them since 252. */
function planCpu({ shares = 0, idle }: Cpu, { version, systemd }: PropertyFacts): UnitProperty[] {
  if (version === "v1") return shares === 0 ? [] : [wide("CPUShares", toUint64(shares))];
  if (idle === 1 && systemd >= 252) return [wide("CPUWeight", 0n)];
  return shares === 0 ? [] : [wide("CPUWeight", BigInt(convertCpuShares(shares)))];
}

/** systemd knows a quota as time per second, in steps of 10 ms, and rounds down what is between: here it is rounded up. */
function planQuota(
  { quota = 0, period = 0 }: Pick<Cpu, "quota" | "period">,
  systemd: number,
): UnitProperty[] {
  if (quota === 0 && period === 0) return [];
  const periodUs = period === 0 ? defaultPeriodUs : toUint64(period);
  const stepUs = 10_000n;
  const perSecond =
    quota > 0
      ? (((toInt64(quota) * 1_000_000n) / periodUs + stepUs - 1n) / stepUs) * stepUs
      : infinity;
  return [
    ...(period !== 0 && systemd >= 242 ? [wide("CPUQuotaPeriodUSec", periodUs)] : []),
    wide("CPUQuotaPerSecUSec", perSecond),
  ];
}

function planTasks(limit: number | undefined): UnitProperty[] {
  if (limit === undefined) return [];
  return [wide("TasksMax", limit < 0 ? infinity : limit === 0 ? 1n : toInt64(limit))];
}

function planCpuset({ cpus = "", mems = "" }: Cpu, systemd: number): UnitProperty[] {
  if (systemd < 244) return [];
  return [
    ...(cpus === "" ? [] : [bitmask("AllowedCPUs", cpus)]),
    ...(mems === "" ? [] : [bitmask("AllowedMemoryNodes", mems)]),
  ];
}

/** A list such as `0-3,8` as bits, the lowest first. */
function bitmask(name: string, list: string): UnitProperty {
  const bytes: number[] = [];
  for (const index of listIndexes(list)) {
    const at = index >> 3;
    while (bytes.length <= at) bytes.push(0);
    bytes[at] = (bytes[at] ?? 0) | (1 << (index & 7));
  }
  return { name, signature: "ay", value: bytes };
}

/** Keys of `unified` that only have another name with systemd. */
const unifiedLimits: Readonly<Record<string, string>> = {
  "memory.high": "MemoryHigh",
  "memory.low": "MemoryLow",
  "memory.min": "MemoryMin",
  "memory.max": "MemoryMax",
  "memory.swap.max": "MemorySwapMax",
  "pids.max": "TasksMax",
};

/** Spec: config-linux.md#unified: what systemd has a property for; every key is written to its file as well. */
function planUnified({ unified = {} }: LinuxResources, systemd: number): UnitProperty[] {
  const idle = unified["cpu.idle"]?.trim() === "1" && systemd >= 252;
  return Object.entries(unified)
    .map(([key, text]) => {
      const value = text.trim();
      const limit = ownMember(unifiedLimits, key);
      if (limit !== undefined) return [wide(limit, parseLimit(key, value))];
      switch (key) {
        case "cpu.idle":
          return idle ? [wide("CPUWeight", 0n)] : [];
        case "cpu.weight":
          return idle ? [] : [wide("CPUWeight", parseLimit(key, value))];
        case "cpu.max": {
          const [quota = "", period = "100000"] = value.split(/\s+/);
          const quotaUs = quota === "max" ? -1 : Number(parseLimit(key, quota));
          return planQuota({ quota: quotaUs, period: Number(parseLimit(key, period)) }, systemd);
        }
        case "cpuset.cpus":
          return planCpuset({ cpus: value }, systemd);
        case "cpuset.mems":
          return planCpuset({ mems: value }, systemd);
        default:
          return [];
      }
    })
    .flat();
}

function parseLimit(key: string, value: string): bigint {
  if (value === "max") return infinity;
  if (/^\d{1,19}$/.test(value)) return BigInt(value);
  const message = `unified resource ${JSON.stringify(key)} value conversion error: ${JSON.stringify(value)} is not a number`;
  return raise({ kind: "refused", message });
}

function wide(name: string, value: bigint): UnitProperty {
  return { name, signature: "t", value };
}
