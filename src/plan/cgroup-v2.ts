// Turns `linux.resources` into writes for cgroup v2; where the files are and who writes them is decided elsewhere.

import { raise } from "../base/fault.ts";
import { toInt64, toUint64 } from "../spec/integers.ts";
import type { Cpu, HugepageLimit, LinuxResources, Memory } from "../spec/resources.ts";
import type { CgroupStep, CgroupWrite, IgnoredResource, ResourcePlan } from "./cgroup.ts";
import { ignoredBlockIoV2, planBlockIoV2 } from "./cgroup-block-io.ts";
import { planRdma, wordPidsLimit } from "./cgroup-v1.ts";
import { generateDeviceFilter } from "./device-filter.ts";
import { settleDevicePolicy } from "./device-rules.ts";

/**
 * Plans the writes in runc's order.
 *
 * @throws `refused` for resources that cannot be meant
 */
export function planResourcesV2(resources: LinuxResources): ResourcePlan {
  const { pids, memory = {}, cpu = {}, devices = [], unified = {}, blockIO = {} } = resources;
  const { hugepageLimits = [], rdma } = resources;
  const program = generateDeviceFilter(settleDevicePolicy(devices));
  const steps: CgroupStep[] = [
    ...(pids === undefined ? [] : [write("pids.max", wordPidsLimit(pids.limit), "pids.limit")]),
    ...planMemory(memory),
    ...planBlockIoV2(blockIO),
    ...planCpu(cpu),
    { kind: "device-program", controller: "", program },
    ...planCpuset(cpu),
    ...planHugepages(hugepageLimits),
    ...planRdma("", rdma),
    ...planUnified(unified),
  ];
  return { beforeJoin: [], steps, ignored: listIgnored(resources) };
}

function planMemory(memory: Memory): CgroupStep[] {
  const { limit = 0, reservation = 0, swap = 0, checkBeforeUpdate } = memory;
  const steps: CgroupStep[] = [];
  if (checkBeforeUpdate === true && (limit > 0 || swap > 0)) {
    steps.push({
      kind: "check-usage",
      controller: "",
      limit: limit > 0 ? toInt64(limit) : 0n,
      limitWithSwap: swap > 0 ? toInt64(swap) : 0n,
    });
  }
  const swapMax = convertMemorySwap({ limit, swap });
  if (swapMax !== undefined) {
    const because =
      "the kernel does not count swap, and the value sets no limit that it would have to keep";
    steps.push({
      ...write("memory.swap.max", swapMax, swap === 0 ? "memory.limit" : "memory.swap"),
      ...(swapMax === "max" || swapMax === "0" ? { tolerated: { ENOENT: because } } : {}),
    });
  }
  if (limit !== 0) steps.push(write("memory.max", wordBytes(limit), "memory.limit"));
  if (reservation !== 0) {
    steps.push(write("memory.low", wordBytes(reservation), "memory.reservation"));
  }
  return steps;
}

/**
 * Converts v1's limit of memory and swap together into v2's limit of swap alone.
 *
 * @returns the value for memory.swap.max; undefined when nothing is to be written
 * @throws `refused` when the two limits contradict each other
 */
export function convertMemorySwap({
  limit,
  swap,
}: {
  readonly limit: number;
  readonly swap: number;
}): string | undefined {
  // As on v1: memory without a limit, and swap not spoken of, is both without a limit.
  if (limit === -1 && swap === 0) return "max";
  if (swap === 0) return undefined;
  if (swap === -1) return "max";
  if (limit === 0 || limit === -1) {
    const message = `unable to set swap limit without memory limit, got ${swap}`;
    raise({ kind: "refused", message });
  }
  if (limit < 0) raise({ kind: "refused", message: `invalid memory value: ${limit}` });
  if (swap < limit) {
    const message = `memory+swap limit should be >= memory limit, got ${swap} and ${limit}`;
    raise({ kind: "refused", message });
  }
  return (toInt64(swap) - toInt64(limit)).toString();
}

function wordBytes(bytes: number): string {
  return bytes === -1 ? "max" : toInt64(bytes).toString();
}

function planCpu(cpu: Cpu): CgroupWrite[] {
  const { shares = 0, quota = 0, period = 0, burst, idle } = cpu;
  const writes: CgroupWrite[] = [];
  if (idle !== undefined) writes.push(write("cpu.idle", `${idle}`, "cpu.idle"));
  if (shares !== 0) {
    const because = "an idle group has no weight";
    writes.push({
      ...write("cpu.weight", `${convertCpuShares(shares)}`, "cpu.shares"),
      ...(idle === 1 ? { tolerated: { EINVAL: because } } : {}),
    });
  }
  const burstWrites =
    burst === undefined ? [] : [write("cpu.max.burst", toUint64(burst).toString(), "cpu.burst")];
  if (quota === 0 && period === 0) return [...writes, ...burstWrites];
  const max = quota > 0 ? toInt64(quota).toString() : "max";
  const because = "it may not fit the present cpu.max; written again after that";
  return [
    ...writes,
    ...burstWrites.map((one) => ({ ...one, tolerated: { EINVAL: because } })),
    write(
      "cpu.max",
      `${max} ${period === 0 ? 100000 : toUint64(period)}`,
      quota === 0 ? "cpu.period" : "cpu.quota",
    ),
    ...burstWrites.map((one) => ({ ...one, again: true }) as const),
  ];
}

/**
 * Converts v1's cpu.shares (2 to 262144, usually 1024) into v2's cpu.weight (1 to 10000, usually 100).
 * The curve goes through the three points; the straight line that runtimes used before made of 1024 a weight of 39.
 */
export function convertCpuShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const logarithm = Math.log2(shares);
  const exponent = (logarithm * logarithm + 125 * logarithm) / 612 - 7 / 34;
  return Math.ceil(10 ** exponent);
}

function planCpuset({ cpus = "", mems = "" }: Cpu): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpus !== "") writes.push(write("cpuset.cpus", cpus, "cpu.cpus"));
  if (mems !== "") writes.push(write("cpuset.mems", mems, "cpu.mems"));
  return writes;
}

/** Spec: config-linux.md#unified MUST write keys that the runtime does not know to the file of that name. */
function planUnified(unified: Readonly<Record<string, string>>): CgroupWrite[] {
  return Object.entries(unified)
    .map(([file, value]) => {
      if (file.includes("/")) {
        const quoted = JSON.stringify(file);
        const message = `unified resource ${quoted} must be a file name (no slashes)`;
        raise({ kind: "refused", message });
      }
      // A file like io.max takes one line a write.
      const lines = value.split("\n").filter((line, index) => line !== "" || index === 0);
      return lines.map((line) => write(file, line, `unified.${file}`));
    })
    .flat();
}

function planHugepages(limits: readonly HugepageLimit[]): CgroupWrite[] {
  return limits
    .map(({ pageSize, limit }) => {
      const value = toUint64(limit).toString();
      const tolerated = { ENOENT: "kernels before 5.7 count no reservations" };
      return [
        write(`hugetlb.${pageSize}.max`, value, "hugepageLimits"),
        { ...write(`hugetlb.${pageSize}.rsvd.max`, value, "hugepageLimits"), tolerated },
      ];
    })
    .flat();
}

function listIgnored(resources: LinuxResources): IgnoredResource[] {
  const { memory = {}, cpu = {}, network = {}, blockIO = {} } = resources;
  const asked = {
    "memory.kernel": memory.kernel,
    "memory.kernelTCP": memory.kernelTCP,
    "memory.swappiness": memory.swappiness,
    "memory.disableOOMKiller": memory.disableOOMKiller || undefined,
    "cpu.realtimeRuntime": cpu.realtimeRuntime || undefined,
    "cpu.realtimePeriod": cpu.realtimePeriod || undefined,
    "network.classID": network.classID || undefined,
    "network.priorities": network.priorities?.[0],
  };
  const because = "cgroup v2 has no such file";
  return [
    ...Object.entries(asked)
      .filter(([, value]) => value !== undefined)
      .map(([property]) => ({ property, because })),
    ...ignoredBlockIoV2(blockIO),
  ];
}

function write(file: string, value: string, property: string): CgroupWrite {
  return { kind: "write", controller: "", file, value, property };
}
