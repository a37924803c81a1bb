// What config-linux.md demands of a runtime, cgroups and seccomp aside, in our own words.

import { demandsOf, type Line } from "./demand.ts";

const aboutConfigs = "demanded of whoever writes the config; the runtime may take it";
const needsResctrl =
  "the machine needs processors with Intel RDT; the runtime's own tests use a made-up resctrl";
const needsDevice =
  "the suite would have to move a network device of the host; the runtime's own tests do, in network namespaces of theirs";

const resctrlLines: readonly Line[] = [
  ["rdt-tasks", "MUST", "the process is written to the tasks of the class", needsResctrl],
  ["rdt-none", "MUST", "without a mounted resctrl an intelRdt is an error"],
  ["rdt-unset", "MUST NOT", "without intelRdt nothing of resctrl is touched", needsResctrl],
  ["rdt-l3-prefix", "SHOULD", "l3CacheSchema begins with `L3:` and has one line", aboutConfigs],
  ["rdt-mb-prefix", "MUST", "memBwSchema begins with `MB:` and has one line", needsResctrl],
  ["rdt-combined", "MUST", "l3CacheSchema and memBwSchema are written together", needsResctrl],
  [
    "rdt-mb-line",
    "MUST",
    "of an l3CacheSchema with an `MB:` line the other lines are written",
    needsResctrl,
  ],
  ["rdt-either", "MUST", "one of the two schemas alone is written", needsResctrl],
  ["rdt-schemata", "MUST", "schemata is written, and last", needsResctrl],
  ["rdt-no-schema", "MUST NOT", "without any schema no schemata is written", needsResctrl],
  ["rdt-id", "MUST", "without closID the class is made with the container's id", needsResctrl],
  [
    "rdt-made",
    "MUST",
    "a class of closID that is not there is made when a schema is given",
    needsResctrl,
  ],
  ["rdt-compare", "MUST", "a class that is there with another schema is an error", needsResctrl],
  ["rdt-there", "MUST", "closID without a schema needs a class that is there", needsResctrl],
];

export const linuxDemands = demandsOf("config-linux.md", {
  "Default Filesystems": [
    ["default-proc", "SHOULD", "/proc can be had as a proc"],
    ["default-sys", "SHOULD", "/sys can be had as a sysfs"],
    ["default-pts", "SHOULD", "/dev/pts can be had as a devpts"],
    ["default-shm", "SHOULD", "/dev/shm can be had as a tmpfs"],
  ],
  Namespaces: [
    ["namespace-type-required", "REQUIRED", "a namespace without type is refused"],
    ["namespace-pid", "SHOULD", "`pid` is supported: the container sees its own processes"],
    ["namespace-network", "SHOULD", "`network` is supported: the container has its own devices"],
    ["namespace-mount", "SHOULD", "`mount` is supported: the container has its own mounts"],
    ["namespace-ipc", "SHOULD", "`ipc` is supported: the container has its own System V objects"],
    ["namespace-uts", "SHOULD", "`uts` is supported: the container has its own names"],
    ["namespace-user", "SHOULD", "`user` is supported: the container has its own ids"],
    ["namespace-cgroup", "SHOULD", "`cgroup` is supported: the container's group is its root"],
    ["namespace-time", "SHOULD", "`time` is supported: the container has its own clocks"],
    ["namespace-path-absolute", "MUST", "a path that is not absolute is refused"],
    ["namespace-join", "MUST", "with path the process is in the namespace of that file"],
    ["namespace-join-type", "MUST", "a path to a namespace of another type is refused"],
    ["namespace-new", "MUST", "without path a new namespace is made"],
    ["namespace-inherit", "MUST", "a type that is not listed is inherited from the runtime"],
    ["namespace-twice", "MUST", "a type that is listed twice is refused"],
  ],
  "User namespace mappings": [
    ["mapping-uid", "APPLY", "uidMappings are the map of the user namespace"],
    ["mapping-gid", "APPLY", "gidMappings are the map of the user namespace"],
    ["mapping-required", "REQUIRED", "a mapping without containerID, hostID or size is refused"],
    ["mapping-owner", "SHOULD NOT", "the owners of the files of the root stay as they are"],
  ],
  "Offset for Time Namespace": [
    ["time-monotonic", "APPLY", "the offset of the monotonic clock is the one of the config"],
    ["time-boottime", "APPLY", "the offset of the boot time clock is the one of the config"],
  ],
  Devices: [
    ["device-there", "MUST", "devices of the config are there, with their numbers"],
    ["device-type-required", "REQUIRED", "a device without type is refused"],
    ["device-path-required", "REQUIRED", "a device without path is refused"],
    [
      "device-numbers-required",
      "REQUIRED",
      "a device without numbers, which is no fifo, is refused",
    ],
    ["device-fifo", "APPLY", "a fifo needs no numbers"],
    ["device-conflict", "MUST", "a file in the place of a device that is another is refused"],
    ["device-outside", "APPLY", "a device may be outside /dev"],
    ["device-mode", "APPLY", "a device has the mode of the config"],
    ["device-owner", "APPLY", "a device has uid and gid of the config"],
    ["device-twice", "SHOULD NOT", "no two devices have the same type and numbers", aboutConfigs],
  ],
  "Default Devices": [
    ["default-null", "MUST", "/dev/null is there"],
    ["default-zero", "MUST", "/dev/zero is there"],
    ["default-full", "MUST", "/dev/full is there"],
    ["default-random", "MUST", "/dev/random is there"],
    ["default-urandom", "MUST", "/dev/urandom is there"],
    ["default-tty", "MUST", "/dev/tty is there"],
    ["default-console", "MUST", "with a terminal /dev/console is it"],
    ["default-ptmx", "MUST", "/dev/ptmx is that of the container's /dev/pts"],
  ],
  "Network Devices": [
    ["net-device-there", "MUST", "network devices of the config are in the container", needsDevice],
    ["net-device-check", "MUST", "a network device that is not there is refused"],
    ["net-device-taken", "MUST", "a name that is taken in the container is refused", needsDevice],
    ["net-device-template", "MUST", "a name with %d gets a number of the kernel's", needsDevice],
    ["net-device-addresses", "MUST", "permanent global addresses are kept", needsDevice],
    ["net-device-up", "MUST", "the device is up afterwards", needsDevice],
    [
      "net-device-lifecycle",
      "MUST NOT",
      "the runtime leaves the device alone afterwards",
      needsDevice,
    ],
    ["net-device-back", "MUST NOT", "the runtime does not take the device back", needsDevice],
  ],
  IntelRdt: resctrlLines,
  Sysctl: [["sysctl", "APPLY", "kernel parameters of the container's namespaces are set"]],
  "Rootfs Mount Propagation": [
    ["propagation-shared", "APPLY", "`shared` makes the root a peer group of its own"],
    [
      "propagation-slave",
      "APPLY",
      "with `slave` mounts of the host arrive in the container, and none goes back",
    ],
    ["propagation-private", "APPLY", "with `private` no mount of the host arrives"],
    ["propagation-unbindable", "APPLY", "with `unbindable` the root cannot be bound"],
  ],
  "Masked Paths": [
    ["masked-file", "APPLY", "a masked file reads as empty"],
    ["masked-directory", "APPLY", "a masked directory is empty"],
    ["masked-absolute", "MUST", "masked paths are absolute: one that is not is refused"],
  ],
  "Readonly Paths": [
    ["readonly-file", "APPLY", "a read-only file cannot be written to"],
    ["readonly-directory", "APPLY", "nothing below a read-only directory can be written to"],
    ["readonly-absolute", "MUST", "read-only paths are absolute: one that is not is refused"],
  ],
  "Mount Label": [["mount-label", "APPLY", "mounts have the SELinux context, or create fails"]],
  Personality: [
    ["personality", "APPLY", "with LINUX32 uname shows a processor of 32 bits"],
    ["personality-required", "REQUIRED", "a personality without domain is refused"],
  ],
  "Memory policy": [["memory-policy", "APPLY", "memory comes from the nodes of the policy"]],
});
