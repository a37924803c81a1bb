// What planning a container needs to know about the host and the caller: data, gathered by host/facts.ts.

import type { CgroupPlaces } from "../inside/cgroup.ts";
import type { CgroupMountFacts } from "../inside/mounts/cgroup.ts";
import type { RootFacts } from "../inside/rootfs.ts";
import type { Part } from "../program/program.ts";
import type { Step } from "../program/step.ts";
import type { IdmapPlan } from "./idmaps.ts";

/** The seccomp filter as steps at the places where it is loaded; seccomp-filter.ts says where. */
export type PlannedFilter = {
  /** Capabilities that stay permitted, as a mask, until it is loaded. */
  readonly kept: bigint;
  /** The end of the last batch before the record is written. */
  readonly atCreate: readonly Step[];
  /** What follows that batch: the listener of a filter that asks an agent. */
  readonly behind: readonly Part[];
  /** Right before execve. */
  readonly atStart: readonly Step[];
};

export type HostFacts = {
  /** The bundle's absolute path; relative sources of binds start there. */
  readonly bundle: string;
  readonly root: RootFacts;
  /** The groups that init joins. */
  readonly cgroupPlaces: CgroupPlaces;
  /** Whether init is moved on to a group below, which is the container's to manage. */
  readonly delegatesCgroup: boolean;
  /** What a mount of type cgroup has to show. */
  readonly cgroup: CgroupMountFacts;
  readonly runtimePid: number;
  /** Number of descriptors from 3 on that the caller wants the container to have. */
  readonly preserveFds: number;
  /** A service manager wants to be told when the container is ready: sd_notify(3). */
  readonly notifies: boolean;
  /** Which of the standard streams are the host's /dev/null. */
  readonly nullStreams: readonly number[];
  /** The limit of open files that the caller had; Bun has raised our soft one. */
  readonly callerOpenFiles: { readonly soft: bigint; readonly hard: bigint };
  readonly hostHasKcore: boolean;
  /** Number of the last capability that the kernel has. */
  readonly lastCapability: number;
  /** The runtime itself is in a user namespace that is not the host's: it cannot make device nodes. */
  readonly inUserNamespace: boolean;
  /** The runtime is not root: the container's root is given nothing that an ordinary user has not. */
  readonly ordinaryUser: boolean;
  /** Whether SELinux labels files; only asked with a mountLabel. */
  readonly selinux: boolean;
  /** `--no-pivot`. */
  readonly noPivot: boolean;
  /** Mount points of whole proc and sysfs file systems outside of the rootfs; only asked with `--no-pivot`. */
  readonly wholeMounts: readonly string[];
  /** Name of the session keyring; undefined with `--no-new-keyring`. */
  readonly keyring: string | undefined;
  /** Undefined without a seccomp filter. */
  readonly filter: PlannedFilter | undefined;
  /** Address of the stub's code that ends it. */
  readonly exitAddress: number;
  /** The container's directory in the state root. */
  readonly directory: string;
  readonly idmaps: IdmapPlan;
  /** What the sources of binds with `copy-symlink` are links to, by number of the mount. */
  readonly links: ReadonlyMap<number, string>;
};

/** The stub's socket: the first descriptor behind those of the container. */
export function doorbellFd(preserveFds: number): number {
  return 3 + preserveFds;
}

/** The listening socket on which a parked stub waits. */
export function listenerFd(preserveFds: number): number {
  return 4 + preserveFds;
}

/** The pidfd of the container's init, through which exec joins its namespaces: exec has no listener. */
export function targetFd(preserveFds: number): number {
  return listenerFd(preserveFds);
}

/** Where a container finds its notify socket, as with runc. */
export const notifyDirectory = "/run/notify";
export const notifyAddress = `${notifyDirectory}/notify.sock`;

/** The mount of the notify socket's directory, where there is one. */
export function notifyFd(preserveFds: number): number {
  return 5 + preserveFds;
}

/** The user namespaces of idmapped mounts, one after the other from here on. */
export function idmapFd(preserveFds: number, source: number): number {
  return notifyFd(preserveFds) + 1 + source;
}

/** The directory of the v2 cgroup in which init is born: out of reach of the numbers that open gives. */
export function cgroupFd(preserveFds: number): number {
  return 100 + preserveFds;
}

/** A number that is free while init mounts, beside the cgroup's. */
export function relayFd(preserveFds: number): number {
  return 101 + preserveFds;
}

/** The master of the container's terminal, where the runtime fetches it. */
export function masterFd(preserveFds: number): number {
  return 102 + preserveFds;
}
