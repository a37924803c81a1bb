// Turns `linux.resources` into writes for cgroup v1; where the files are and who writes them is decided elsewhere.

import { raise } from "../base/fault.ts";
import { toInt64, toUint64 } from "../spec/integers.ts";
import type { Cpu, HugepageLimit, LinuxResources, Memory, Network } from "../spec/resources.ts";
import type { CgroupWrite, IgnoredResource, ResourcePlan } from "./cgroup.ts";
import { planBlockIoV1 } from "./cgroup-block-io.ts";
import { settleDevicePolicy, wordDevicePolicy } from "./device-rules.ts";

/**
 * Plans the writes in runc's order of controllers.
 *
 * @throws `refused` for resources that cannot be meant
 */
export function planResourcesV1(resources: LinuxResources): ResourcePlan {
  const { unified = {}, devices = [], memory = {}, cpu = {}, pids, blockIO = {} } = resources;
  const { hugepageLimits = [], network = {}, rdma = {} } = resources;
  // Spec: config-linux.md#unified: there are no such files here.
  if (Object.keys(unified).length > 0) {
    const message = `invalid configuration: cannot use unified on cgroup v1, got ${Object.keys(unified).join(", ")}`;
    raise({ kind: "refused", message });
  }
  return {
    beforeJoin: [...planCpuset(cpu), ...planRealtime(cpu)],
    steps: [
      ...planDevices(devices),
      ...planMemory(memory),
      ...planCpu(cpu),
      ...planPids(pids),
      ...planBlockIoV1(blockIO),
      ...planHugepages(hugepageLimits),
      ...planNetwork(network),
      ...planRdma("rdma", rdma),
    ],
    ignored: listIgnored(memory),
  };
}

/** A process can join a cpuset only when it has CPUs and memory nodes; what is not given is copied from the parent. */
function planCpuset({ cpus = "", mems = "" }: Cpu): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpus !== "") writes.push(write("cpuset", "cpuset.cpus", cpus, "cpu.cpus"));
  if (mems !== "") writes.push(write("cpuset", "cpuset.mems", mems, "cpu.mems"));
  return writes;
}

/** A real-time process can join only a group that has real-time bandwidth, of which a new group has none. */
function planRealtime({ realtimeRuntime = 0, realtimePeriod = 0 }: Cpu): CgroupWrite[] {
  const runtime = write(
    "cpu",
    "cpu.rt_runtime_us",
    decimal(realtimeRuntime),
    "cpu.realtimeRuntime",
  );
  const period = write("cpu", "cpu.rt_period_us", decimal(realtimePeriod), "cpu.realtimePeriod");
  return writeInEitherOrder(
    realtimePeriod === 0 ? [] : [period],
    realtimeRuntime === 0 ? undefined : runtime,
  ).map((one) => ({ ...one, parentsToo: true }));
}

function planDevices(devices: LinuxResources["devices"] = []): CgroupWrite[] {
  return wordDevicePolicy(settleDevicePolicy(devices)).map(({ file, value }) =>
    write("devices", file, value, "devices"),
  );
}

function planMemory(memory: Memory): CgroupWrite[] {
  const { limit = 0, reservation = 0, swap = 0, swappiness, disableOOMKiller } = memory;
  const writes: CgroupWrite[] = [];
  const limitWrite = writeMemory("memory.limit_in_bytes", limit, "memory.limit");
  const swapWrite = writeMemory("memory.memsw.limit_in_bytes", swap, "memory.swap");
  if (limit === -1 && swap === 0) {
    // Without a limit on memory, one on memory and swap together would stay in force from before.
    const unlimited = { ...swapWrite, value: "-1", property: "memory.limit" };
    const because = "the kernel does not count swap";
    writes.push(
      ...writeInEitherOrder([limitWrite], { ...unlimited, tolerated: { ENOENT: because } }),
    );
  } else {
    writes.push(
      ...writeInEitherOrder(limit === 0 ? [] : [limitWrite], swap === 0 ? undefined : swapWrite),
    );
  }
  if (reservation !== 0) {
    writes.push(writeMemory("memory.soft_limit_in_bytes", reservation, "memory.reservation"));
  }
  if (disableOOMKiller === true) {
    writes.push(write("memory", "memory.oom_control", "1", "memory.disableOOMKiller"));
  }
  if (swappiness !== undefined) {
    if (swappiness < 0 || swappiness > 100) {
      const message = `invalid memory swappiness value: ${swappiness} (valid range is 0-100)`;
      raise({ kind: "refused", message });
    }
    writes.push(write("memory", "memory.swappiness", `${swappiness}`, "memory.swappiness"));
  }
  return writes;
}

function planCpu(cpu: Cpu): CgroupWrite[] {
  const { shares = 0, quota = 0, period = 0, burst, idle } = cpu;
  const writes: CgroupWrite[] = [];
  if (shares !== 0) writes.push(write("cpu", "cpu.shares", checkShares(shares), "cpu.shares"));
  const first: CgroupWrite[] = [];
  if (period !== 0) first.push(write("cpu", "cpu.cfs_period_us", decimal(period), "cpu.period"));
  if (burst !== undefined) {
    const tolerated = { ENOENT: "kernels before 5.14 have no burst" };
    first.push({ ...write("cpu", "cpu.cfs_burst_us", decimal(burst), "cpu.burst"), tolerated });
  }
  const last = write("cpu", "cpu.cfs_quota_us", toInt64(quota).toString(), "cpu.quota");
  writes.push(...writeInEitherOrder(first, quota === 0 ? undefined : last));
  if (idle !== undefined) writes.push(write("cpu", "cpu.idle", `${idle}`, "cpu.idle"));
  return writes;
}

/** The kernel silently takes the nearest number of shares that it knows; runc refuses the others. */
function checkShares(shares: number): string {
  const [least, most] = [2, 262144];
  if (shares < least) {
    raise({
      kind: "refused",
      message: `the minimum allowed cpu-shares is ${least}, got ${shares}`,
    });
  }
  if (shares > most) {
    raise({ kind: "refused", message: `the maximum allowed cpu-shares is ${most}, got ${shares}` });
  }
  return `${shares}`;
}

function planPids(pids: LinuxResources["pids"]): CgroupWrite[] {
  if (pids === undefined) return [];
  return [write("pids", "pids.max", wordPidsLimit(pids.limit), "pids.limit")];
}

/** 0 becomes 1 as with runc, whose other driver, systemd, cannot say 0. */
export function wordPidsLimit(limit: number): string {
  if (limit < 0) return "max";
  return limit === 0 ? "1" : decimal(limit);
}

/** The limit of what is used, and since Linux 5.7 of what is reserved. */
function planHugepages(limits: readonly HugepageLimit[]): CgroupWrite[] {
  return limits
    .map(({ pageSize, limit }) => {
      const value = decimal(limit);
      const tolerated = { ENOENT: "kernels before 5.7 count no reservations" };
      return [
        write("hugetlb", `hugetlb.${pageSize}.limit_in_bytes`, value, "hugepageLimits"),
        {
          ...write("hugetlb", `hugetlb.${pageSize}.rsvd.limit_in_bytes`, value, "hugepageLimits"),
          tolerated,
        },
      ];
    })
    .flat();
}

function planNetwork({ classID = 0, priorities = [] }: Network): CgroupWrite[] {
  const classes =
    classID === 0 ? [] : [write("net_cls", "net_cls.classid", `${classID}`, "network.classID")];
  return [
    ...classes,
    ...priorities.map(({ name, priority }) =>
      write("net_prio", "net_prio.ifpriomap", `${name} ${priority}`, "network.priorities"),
    ),
  ];
}

/** A line for each device, of what is given for it; the file is the same on v2. */
export function planRdma(controller: string, devices: LinuxResources["rdma"]): CgroupWrite[] {
  return Object.entries(devices ?? {})
    .map(([device, { hcaHandles, hcaObjects }]) => {
      const limits = [
        ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
        ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
      ];
      if (limits.length === 0) return [];
      return [write(controller, "rdma.max", `${device} ${limits.join(" ")}`, "rdma")];
    })
    .flat();
}

function listIgnored(memory: Memory): IgnoredResource[] {
  const ignored: IgnoredResource[] = [];
  const ignore = (property: string, because: string): number => ignored.push({ property, because });
  if (memory.kernel !== undefined) ignore("memory.kernel", "kernel memory is part of memory.limit");
  if (memory.kernelTCP !== undefined) ignore("memory.kernelTCP", "it is part of memory.limit");
  if (memory.useHierarchy === false) {
    ignore("memory.useHierarchy", "since Linux 5.11 memory is always counted hierarchically");
  }
  return ignored;
}

/**
 * Orders writes of which the kernel refuses those that do not fit the present value of the last one: a new limit may
 * have to stand before or after the others. They are tried before, and again after where they were refused.
 */
function writeInEitherOrder(
  before: readonly CgroupWrite[],
  last: CgroupWrite | undefined,
): CgroupWrite[] {
  if (last === undefined) return [...before];
  const because = `it may not fit the present ${last.file}; written again after that`;
  return [
    ...before.map((one) => ({ ...one, tolerated: { ...one.tolerated, EINVAL: because } })),
    last,
    ...before.map((one) => ({ ...one, again: true }) as const),
  ];
}

function writeMemory(file: string, bytes: number, property: string): CgroupWrite {
  return write("memory", file, toInt64(bytes).toString(), property);
}

function write(controller: string, file: string, value: string, property: string): CgroupWrite {
  return { kind: "write", controller, file, value, property };
}

function decimal(value: number): string {
  return toUint64(value).toString();
}
