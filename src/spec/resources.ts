// `linux.resources` of config.json, also the document that `update` reads, as types; not what is written into cgroups.

/** config-linux.md#control-groups; 64-bit numbers are doubles here, see integers.ts. */
export type LinuxResources = {
  /** cgroup v2 only: file name to what is written into it. */
  readonly unified?: Readonly<Record<string, string>>;
  readonly devices?: readonly DeviceRule[];
  readonly pids?: { readonly limit: number };
  readonly blockIO?: BlockIO;
  readonly cpu?: Cpu;
  readonly hugepageLimits?: readonly HugepageLimit[];
  readonly memory?: Memory;
  readonly network?: Network;
  readonly rdma?: Readonly<Record<string, Rdma>>;
};

/** config-linux.md#allowed-device-list; an absent number, or -1, stands for all. */
export type DeviceRule = {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access?: string;
};

/** config-linux.md#memory; limits in bytes, -1 is unlimited. */
export type Memory = {
  readonly limit?: number;
  readonly reservation?: number;
  /** Memory and swap together. */
  readonly swap?: number;
  readonly kernel?: number;
  readonly kernelTCP?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  readonly checkBeforeUpdate?: boolean;
};

/** config-linux.md#cpu; times in microseconds. */
export type Cpu = {
  readonly shares?: number;
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: number;
};

/** config-linux.md#block-io */
export type BlockIO = {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly WeightDevice[];
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
};

export type WeightDevice = {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
};

export type ThrottleDevice = {
  readonly major: number;
  readonly minor: number;
  readonly rate?: number;
};

/** config-linux.md#huge-page-limits */
export type HugepageLimit = { readonly pageSize: string; readonly limit: number };

/** config-linux.md#network */
export type Network = {
  readonly classID?: number;
  readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
};

/** config-linux.md#rdma */
export type Rdma = { readonly hcaHandles?: number; readonly hcaObjects?: number };
