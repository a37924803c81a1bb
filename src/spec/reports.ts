// The documents that a runtime writes about itself and its containers (features, state) as types; not how they are made.

import type { SeccompFlag } from "./seccomp.ts";
import type { NamespaceType } from "./types.ts";

/** runtime.md#state */
export type State = {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: "creating" | "created" | "running" | "stopped";
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
};

/** features.md */
export type Features = {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks?: readonly string[];
  readonly mountOptions?: readonly string[];
  readonly linux?: LinuxFeatures;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly potentiallyUnsafeConfigAnnotations?: readonly string[];
};

type Enabled = { readonly enabled?: boolean };

/** features-linux.md */
export type LinuxFeatures = {
  readonly namespaces?: readonly NamespaceType[];
  readonly capabilities?: readonly string[];
  readonly cgroup?: {
    readonly v1?: boolean;
    readonly v2?: boolean;
    readonly systemd?: boolean;
    readonly systemdUser?: boolean;
    readonly rdma?: boolean;
  };
  readonly seccomp?: Enabled & {
    readonly actions?: readonly string[];
    readonly operators?: readonly string[];
    readonly archs?: readonly string[];
    readonly knownFlags?: readonly SeccompFlag[];
    readonly supportedFlags?: readonly SeccompFlag[];
  };
  readonly apparmor?: Enabled;
  readonly selinux?: Enabled;
  readonly intelRdt?: Enabled & { readonly schemata?: boolean; readonly monitoring?: boolean };
  readonly memoryPolicy?: {
    readonly modes?: readonly string[];
    readonly flags?: readonly string[];
  };
  readonly mountExtensions?: { readonly idmap?: Enabled };
  readonly netDevices?: Enabled;
};
