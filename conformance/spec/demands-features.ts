// What features.md and features-linux.md demand of a runtime that has a features document, in our own words.

import { demandsOf } from "./demand.ts";

export const featuresDemands = [
  ...demandsOf("features.md", {
    "Features Document": [
      [
        "features-compiled",
        "SHOULD",
        "the document does not depend on the machine",
        "it would take a machine that lacks what the document lists",
      ],
      [
        "features-null",
        "MUST NOT",
        "null is the same as absent: a property is of its type or null",
      ],
    ],
    "Specification version": [
      ["features-min", "REQUIRED", "ociVersionMin is there"],
      ["features-min-accepted", "MUST", "a config with ociVersionMin is taken"],
      ["features-max", "REQUIRED", "ociVersionMax is there"],
      ["features-max-accepted", "MUST", "a config with ociVersionMax is taken"],
      ["features-min-max", "MUST NOT", "ociVersionMax is not below ociVersionMin"],
      [
        "features-undefined",
        "MUST NOT",
        "the document has no property that the specification does not define",
      ],
    ],
    Hooks: [["features-hooks", "MUST", "each hook of the list is supported"]],
    "Mount Options": [
      ["features-mount-options", "MUST", "each mount option of the list is known"],
      ["features-mount-data", "SHOULD NOT", "the list has no options of file systems"],
    ],
    "Unsafe annotations in config.json": [
      [
        "features-unsafe",
        "APPLY",
        "potentiallyUnsafeConfigAnnotations is a list of names or prefixes",
      ],
    ],
    Annotations: [
      ["features-annotations", "MUST", "annotations are a map of strings without an empty key"],
    ],
  }),
  ...demandsOf("features-linux.md", {
    Namespaces: [["features-namespaces", "MUST", "each type of namespace of the list is known"]],
    Capabilities: [["features-capabilities", "MUST", "each capability of the list is known"]],
    Cgroup: [["features-cgroup", "APPLY", "what is said of cgroups is true or false"]],
    Seccomp: [
      ["features-seccomp-actions", "MUST", "each action of the list is known"],
      ["features-seccomp-operators", "MUST", "each operator of the list is known"],
      ["features-seccomp-archs", "MUST", "each architecture of the list is known"],
      ["features-seccomp-known", "MUST", "each flag of knownFlags is known"],
      ["features-seccomp-supported", "MUST", "each flag of supportedFlags is supported"],
    ],
    AppArmor: [["features-apparmor", "APPLY", "what is said of AppArmor is true or false"]],
    SELinux: [["features-selinux", "APPLY", "what is said of SELinux is true or false"]],
    "Intel RDT": [["features-rdt", "APPLY", "what is said of Intel RDT is true or false"]],
    MemoryPolicy: [
      ["features-memory-modes", "MUST", "each mode of the list is known"],
      ["features-memory-flags", "MUST", "each flag of the list is known"],
    ],
    MountExtensions: [
      ["features-idmap", "MUST", "who knows mappings of mounts, even in part, says so"],
    ],
    NetDevices: [
      ["features-net-devices", "APPLY", "what is said of network devices is true or false"],
    ],
  }),
];
