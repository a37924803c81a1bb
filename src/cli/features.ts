// ts-runc features: what this build can do, in the form of features.md; the truth of today, derived from what is refused.

import { commit, runcVersion, specVersion, version } from "../../build/version.ts";
import { memoryPolicyFlags, memoryPolicyModes } from "../abi/scheduling.ts";
import { readText } from "../host/files.ts";
import { isKnownFlag } from "../host/seccomp/flags.ts";
import { findLibseccomp } from "../host/seccomp/library.ts";
import { knownMountOptions } from "../inside/mounts/options.ts";
import { actionReturns, architectureTokens, operatorNumbers } from "../plan/seccomp-request.ts";
import { obeyedAnnotations } from "../spec/annotations.ts";
import { capabilityNames } from "../spec/capability-names.ts";
import type { Features, LinuxFeatures } from "../spec/reports.ts";
import { hookPoints } from "../spec/rules/config-rules.ts";
import type { SeccompFlag } from "../spec/seccomp.ts";
import type { NamespaceType } from "../spec/types.ts";
import { print } from "./output.ts";

export function features(): number {
  const document = describeFeatures({
    capabilityLast: Number(readText("/proc/sys/kernel/cap_last_cap", "reading the capabilities")),
    libseccomp: findLibseccomp()?.version,
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
  const { libseccomp } = host;
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: specVersion,
    hooks: hookPoints,
    mountOptions: knownMountOptions(),
    linux: {
      namespaces: namespaceTypes,
      capabilities: capabilityNames.slice(0, host.capabilityLast + 1),
      cgroup: {
        v1: true,
        v2: true,
        systemd: true,
        systemdUser: true,
        rdma: true,
      },
      seccomp: libseccomp === undefined ? { enabled: false } : describeSeccomp(),
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: {
        modes: Object.keys(memoryPolicyModes).sort(),
        flags: Object.keys(memoryPolicyFlags).sort(),
      },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
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

const profileFlags: readonly SeccompFlag[] = [
  "SECCOMP_FILTER_FLAG_LOG",
  "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
  "SECCOMP_FILTER_FLAG_TSYNC",
  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

/** Spec: features-linux.md#seccomp: what can be asked for, whether or not this libseccomp and this kernel can do all of it. */
function describeSeccomp(): NonNullable<LinuxFeatures["seccomp"]> {
  return {
    enabled: true,
    actions: Object.keys(actionReturns).sort(),
    operators: Object.keys(operatorNumbers).sort(),
    archs: Object.keys(architectureTokens).sort(),
    knownFlags: profileFlags,
    supportedFlags: profileFlags.filter(isKnownFlag),
  };
}
