// ts-runc features: what this build can do, in the form of features.md; the truth of today, derived from what is refused.

import { commit, runcVersion, specVersion, version } from "../../build/version.ts";
import { memoryPolicyFlags, memoryPolicyModes } from "../abi/scheduling.ts";
import { readText } from "../host/files.ts";
import { knownMountOptions } from "../inside/mounts/options.ts";
import { obeyedAnnotations } from "../spec/annotations.ts";
import { capabilityNames } from "../spec/capability-names.ts";
import type { Features } from "../spec/reports.ts";
import { hookPoints } from "../spec/rules/config-rules.ts";
import type { Linux, NamespaceType, Spec } from "../spec/types.ts";
import { findUnsupported } from "../spec/unsupported.ts";
import { print } from "./output.ts";
import { readLibseccompVersion } from "./version.ts";

export function features(): number {
  const document = describeFeatures({
    capabilityLast: Number(readText("/proc/sys/kernel/cap_last_cap", "reading the capabilities")),
    libseccomp: readLibseccompVersion(),
  });
  print(`${JSON.stringify(document, undefined, 4)}\n`);
  return 0;
}

const namespaceTypes: readonly NamespaceType[] = [
  "cgroup",
  "ipc",
  "mount",
  "network",
  "pid",
  "time",
  "user",
  "uts",
];

/** The document for a host with these properties. */
function describeFeatures(host: {
  readonly capabilityLast: number;
  readonly libseccomp: string | undefined;
}): Features {
  const libseccomp = does({ seccomp: { defaultAction: "SCMP_ACT_ALLOW" } })
    ? host.libseccomp
    : undefined;
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: specVersion,
    hooks: hookPoints.filter((point) => accepts({ hooks: { [point]: [{ path: "/hook" }] } })),
    mountOptions: [...knownMountOptions].sort(),
    linux: {
      namespaces: namespaceTypes.filter((type) => does({ namespaces: [{ type }] })),
      capabilities: capabilityNames.slice(0, host.capabilityLast + 1),
      cgroup: {
        v1: true,
        v2: true,
        systemd: false,
        systemdUser: false,
        rdma: does({ resources: { rdma: { mlx5_1: { hcaHandles: 1 } } } }),
      },
      seccomp: { enabled: libseccomp !== undefined },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: {
        modes: Object.keys(memoryPolicyModes).sort(),
        flags: Object.keys(memoryPolicyFlags).sort(),
      },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: does({ netDevices: { eth0: {} } }) },
    },
    annotations: {
      "org.opencontainers.runc.version": runcVersion,
      "org.opencontainers.runc.commit": commit,
      "org.opencontainers.runc.checkpoint.enabled": "true",
      "ts-runc.version": version,
      ...(libseccomp === undefined ? {} : { "io.github.seccomp.libseccomp.version": libseccomp }),
    },
    potentiallyUnsafeConfigAnnotations: obeyedAnnotations,
  };
}

/** Whether a config that asks for this gets it: everything else is refused by name. */
function accepts(part: Partial<Spec>): boolean {
  return findUnsupported({ ociVersion: specVersion, ...part }).length === 0;
}

function does(linux: Linux): boolean {
  return accepts({ linux });
}
