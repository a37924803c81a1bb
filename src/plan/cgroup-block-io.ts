// Turns `linux.resources.blockIO` into writes for both versions of cgroups; whether a file is there is known only to who writes.

import { toUint64 } from "../spec/integers.ts";
import type { BlockIO, ThrottleDevice } from "../spec/resources.ts";
import type { CgroupWrite, IgnoredResource } from "./cgroup.ts";

/** What a file is without the controller that would look after it. */
type Line = Pick<CgroupWrite, "file" | "value" | "property" | "instead">;

/**
 * Plans blockIO for cgroup v1.
 *
 * A weight is the CFQ scheduler's on old kernels and BFQ's on those that have only that: the file of the one is tried, then
 * that of the other, as runc does.
 */
export function planBlockIoV1(blockIO: BlockIO): CgroupWrite[] {
  const { weight = 0, leafWeight = 0, weightDevice = [] } = blockIO;
  const lines: Line[] = [];
  if (weight !== 0) lines.push(eitherWeight("weight", `${weight}`));
  if (leafWeight !== 0) {
    lines.push({
      file: "blkio.leaf_weight",
      value: `${leafWeight}`,
      property: "blockIO.leafWeight",
    });
  }
  for (const device of weightDevice) {
    const place = `${device.major}:${device.minor}`;
    if (device.weight !== undefined) {
      lines.push(eitherWeight("weight_device", `${place} ${device.weight}`));
    }
    if (device.leafWeight !== undefined) {
      const value = `${place} ${device.leafWeight}`;
      lines.push({ file: "blkio.leaf_weight_device", value, property: "blockIO.weightDevice" });
    }
  }
  for (const { property, v1, devices } of throttles(blockIO)) {
    for (const device of devices) {
      lines.push({ file: v1, value: `${placeOf(device)} ${rateOf(device)}`, property });
    }
  }
  return lines.map((line) => ({ kind: "write", controller: "blkio", ...line }));
}

function eitherWeight(name: "weight" | "weight_device", value: string): Line {
  const property = name === "weight" ? "blockIO.weight" : "blockIO.weightDevice";
  return {
    file: `blkio.${name}`,
    value,
    property,
    instead: { file: `blkio.bfq.${name}`, value },
  };
}

/** Plans blockIO for cgroup v2; a weight is BFQ's as it is, or that of the io controller after conversion. */
export function planBlockIoV2(blockIO: BlockIO): CgroupWrite[] {
  const { weight = 0, weightDevice = [] } = blockIO;
  const lines: Line[] = [];
  if (weight !== 0) {
    const instead = { file: "io.weight", value: `${convertBlockIoWeight(weight)}` };
    lines.push({ file: "io.bfq.weight", value: `${weight}`, property: "blockIO.weight", instead });
  }
  for (const device of weightDevice) {
    if (device.weight === undefined) continue;
    const place = `${device.major}:${device.minor}`;
    const instead = { file: "io.weight", value: `${place} ${convertBlockIoWeight(device.weight)}` };
    const value = `${place} ${device.weight}`;
    lines.push({ file: "io.bfq.weight", value, property: "blockIO.weightDevice", instead });
  }
  for (const { property, v2, devices } of throttles(blockIO)) {
    for (const device of devices) {
      lines.push({ file: "io.max", value: `${placeOf(device)} ${v2}=${rateOf(device)}`, property });
    }
  }
  return lines.map((line) => ({ kind: "write", controller: "", ...line }));
}

/** What of blockIO cgroup v2 has no file for. */
export function ignoredBlockIoV2({
  leafWeight = 0,
  weightDevice = [],
}: BlockIO): IgnoredResource[] {
  const because = "cgroup v2 has no such file";
  const asked = leafWeight !== 0 || weightDevice.some((device) => (device.leafWeight ?? 0) !== 0);
  return asked ? [{ property: "blockIO.leafWeight", because }] : [];
}

/** Converts a weight of v1 (10 to 1000) into one of v2's io controller (1 to 10000), on a straight line. */
export function convertBlockIoWeight(weight: number): number {
  return weight === 0 ? 0 : 1 + Math.trunc(((weight - 10) * 9999) / 990);
}

/** The four throttles: their files of v1, and their keys in v2's io.max. */
function throttles(blockIO: BlockIO): readonly {
  readonly property: string;
  readonly v1: string;
  readonly v2: string;
  readonly devices: readonly ThrottleDevice[];
}[] {
  const kinds = [
    ["throttleReadBpsDevice", "read_bps", "rbps"],
    ["throttleWriteBpsDevice", "write_bps", "wbps"],
    ["throttleReadIOPSDevice", "read_iops", "riops"],
    ["throttleWriteIOPSDevice", "write_iops", "wiops"],
  ] as const;
  return kinds.map(([name, v1, v2]) => ({
    property: `blockIO.${name}`,
    v1: `blkio.throttle.${v1}_device`,
    v2,
    devices: blockIO[name] ?? [],
  }));
}

function placeOf({ major, minor }: ThrottleDevice): string {
  return `${major}:${minor}`;
}

function rateOf({ rate = 0 }: ThrottleDevice): string {
  return toUint64(rate).toString();
}
