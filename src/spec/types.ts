// config.json of a Linux container as types, after runtime-spec 1.3; the rules that types cannot say are in validate.ts.

import type { LinuxResources } from "./resources.ts";
import type { Seccomp } from "./seccomp.ts";

/** config.md */
export type Spec = {
  readonly ociVersion: string;
  readonly process?: Process;
  readonly root?: Root;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts?: readonly Mount[];
  readonly hooks?: Hooks;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux?: Linux;
};

/** config.md#root */
export type Root = {
  /** Absolute, or relative to the bundle. */
  readonly path: string;
  readonly readonly?: boolean;
};

/** config.md#process */
export type Process = {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user?: User;
  readonly args?: readonly string[];
  /** Entries of the form NAME=VALUE; of two with the same name the last one counts. */
  readonly env?: readonly string[];
  readonly cwd: string;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly ioPriority?: IoPriority;
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
};

/** config.md#posix-platform-user */
export type User = {
  readonly uid?: number;
  readonly gid?: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
};

export type CapabilitySet = "bounding" | "effective" | "inheritable" | "permitted" | "ambient";

/** Names of capabilities by set; names that this kernel does not know are possible. */
export type Capabilities = { readonly [set in CapabilitySet]?: readonly string[] };

/** config.md#posix-process; the limits are 64-bit numbers, see integers.ts. */
export type Rlimit = {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
};

/** config.md#linux-process, sched_setattr(2) */
export type Scheduler = {
  readonly policy: SchedulerPolicy;
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly SchedulerFlag[];
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
};

export type SchedulerPolicy =
  | "SCHED_OTHER"
  | "SCHED_FIFO"
  | "SCHED_RR"
  | "SCHED_BATCH"
  | "SCHED_ISO"
  | "SCHED_IDLE"
  | "SCHED_DEADLINE";

export type SchedulerFlag =
  | "SCHED_FLAG_RESET_ON_FORK"
  | "SCHED_FLAG_RECLAIM"
  | "SCHED_FLAG_DL_OVERRUN"
  | "SCHED_FLAG_KEEP_POLICY"
  | "SCHED_FLAG_KEEP_PARAMS"
  | "SCHED_FLAG_UTIL_CLAMP_MIN"
  | "SCHED_FLAG_UTIL_CLAMP_MAX";

/** config.md#linux-process, ioprio_set(2) */
export type IoPriority = {
  readonly class: "IOPRIO_CLASS_RT" | "IOPRIO_CLASS_BE" | "IOPRIO_CLASS_IDLE";
  readonly priority?: number;
};

/** config.md#mounts */
export type Mount = {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  readonly uidMappings?: readonly IDMapping[];
  readonly gidMappings?: readonly IDMapping[];
};

/** config-linux.md#user-namespace-mappings */
export type IDMapping = {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
};

export type HookPoint =
  | "prestart"
  | "createRuntime"
  | "createContainer"
  | "startContainer"
  | "poststart"
  | "poststop";

/** config.md#posix-platform-hooks */
export type Hooks = { readonly [point in HookPoint]?: readonly Hook[] };

export type Hook = {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** In seconds; without it the hook may take as long as it likes. */
  readonly timeout?: number;
};

/** config-linux.md */
export type Linux = {
  readonly namespaces?: readonly Namespace[];
  readonly uidMappings?: readonly IDMapping[];
  readonly gidMappings?: readonly IDMapping[];
  readonly timeOffsets?: { readonly [clock in TimeClock]?: TimeOffset };
  readonly devices?: readonly Device[];
  /** By the name that the device has on the host. */
  readonly netDevices?: Readonly<Record<string, { readonly name?: string }>>;
  readonly cgroupsPath?: string;
  readonly resources?: LinuxResources;
  readonly rootfsPropagation?: RootfsPropagation;
  readonly seccomp?: Seccomp;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly intelRdt?: IntelRdt;
  readonly memoryPolicy?: MemoryPolicy;
  readonly personality?: Personality;
};

export type NamespaceType =
  | "pid"
  | "network"
  | "mount"
  | "ipc"
  | "uts"
  | "user"
  | "cgroup"
  | "time";

/** config-linux.md#namespaces; without a path, or with an empty one, a new namespace is made. */
export type Namespace = { readonly type: NamespaceType; readonly path?: string };

export type TimeClock = "boottime" | "monotonic";
export type TimeOffset = { readonly secs?: number; readonly nanosecs?: number };

/** config-linux.md#devices */
export type Device = {
  readonly type: "c" | "b" | "u" | "p";
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
};

/** config-linux.md#rootfs-mount-propagation; the recursive forms are not the specification's, but callers write them. */
export type RootfsPropagation =
  | "shared"
  | "slave"
  | "private"
  | "unbindable"
  | "rshared"
  | "rslave"
  | "rprivate"
  | "runbindable";

/** config-linux.md#intelrdt */
export type IntelRdt = {
  readonly closID?: string;
  readonly schemata?: readonly string[];
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  readonly enableMonitoring?: boolean;
};

/** config-linux.md#memory-policy, set_mempolicy(2) */
export type MemoryPolicy = {
  readonly mode?: MemoryPolicyMode;
  readonly nodes?: string;
  readonly flags?: readonly MemoryPolicyFlag[];
};

export type MemoryPolicyMode =
  | "MPOL_DEFAULT"
  | "MPOL_BIND"
  | "MPOL_INTERLEAVE"
  | "MPOL_WEIGHTED_INTERLEAVE"
  | "MPOL_PREFERRED"
  | "MPOL_PREFERRED_MANY"
  | "MPOL_LOCAL";

export type MemoryPolicyFlag =
  | "MPOL_F_NUMA_BALANCING"
  | "MPOL_F_RELATIVE_NODES"
  | "MPOL_F_STATIC_NODES";

/** config-linux.md#personality */
export type Personality = {
  readonly domain?: "LINUX" | "LINUX32";
  readonly flags?: readonly string[];
};
