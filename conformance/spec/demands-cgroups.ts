// What config-linux.md demands of a runtime about cgroups, in our own words.

import { demandsOf } from "./demand.ts";

const aboutConfigs = "demanded of whoever writes the config; the runtime may take it";
const needsHardware = "takes hardware that the machines of these tests lack";
const needsDelegation =
  "a runtime may change the owner or not, and the rules are for those that do";

export const cgroupDemands = demandsOf("config-linux.md", {
  "Control groups": [
    [
      "cgroup-fit",
      "MUST",
      "a cgroup that the runtime finds unfit is an error",
      "whether a runtime looks is its choice; what it does then is seen only when it does",
    ],
  ],
  "Cgroups Path": [
    [
      "cgroup-path-kind",
      "MUST",
      "cgroupsPath is an absolute or a relative path",
      "every text is one of the two",
    ],
    [
      "cgroup-path-absolute",
      "MUST",
      "an absolute path starts at the mount points of the hierarchies",
    ],
    ["cgroup-path-same", "MUST", "the same path means the same place each time"],
    [
      "cgroup-path-invalid",
      "MUST",
      "a path that the runtime does not accept is an error",
      "which paths a runtime does not accept is its choice",
    ],
    ["cgroup-made", "APPLY", "groups that are not there are made"],
  ],
  "Cgroup ownership": [
    ["cgroup-owner-v1", "SHOULD NOT", "on v1 the groups keep their owner"],
    [
      "cgroup-owner-namespace",
      "SHOULD NOT",
      "without a cgroup namespace the group keeps its owner",
    ],
    [
      "cgroup-owner-writable",
      "SHOULD",
      "on v2 the owner is changed when the cgroup mount can be written to",
    ],
    [
      "cgroup-owner-read-only",
      "SHOULD NOT",
      "with a read-only cgroup mount the group keeps its owner",
    ],
    [
      "cgroup-owner-files",
      "SHOULD",
      "only the directory and the delegated files change their owner",
      needsDelegation,
    ],
    [
      "cgroup-owner-missing",
      "MUST NOT",
      "a delegated file that a group lacks is no error",
      needsDelegation,
    ],
    [
      "cgroup-owner-fallback",
      "MUST",
      "without the kernel's list there is a list of three files",
      "every kernel that the runtimes support has the list",
    ],
    ["cgroup-owner-others", "SHOULD NOT", "no other file changes its owner"],
  ],
  "Allowed Device list": [
    ["devices-order", "MUST", "rules count in the order of the list"],
    ["devices-allow-required", "REQUIRED", "a rule without allow is refused"],
    ["devices-deny", "APPLY", "a device that is denied cannot be opened"],
    ["devices-access", "APPLY", "a device that may be read only cannot be written to"],
  ],
  Memory: [
    ["memory-limit", "APPLY", "limit is the group's limit"],
    ["memory-unlimited", "APPLY", "-1 is no limit"],
    ["memory-reservation", "APPLY", "reservation is the group's soft limit"],
    ["memory-swap", "APPLY", "swap is the group's limit of memory and swap"],
    ["memory-swappiness", "APPLY", "swappiness is the group's"],
    ["memory-oom", "APPLY", "disableOOMKiller turns the OOM killer off"],
    [
      "memory-check",
      "MUST",
      "with checkBeforeUpdate a limit below the use is refused",
      "limits are changed by update, which is not an operation of the specification",
    ],
  ],
  CPU: [
    ["cpu-shares", "APPLY", "shares are the group's"],
    ["cpu-quota", "APPLY", "quota and period are the group's"],
    ["cpu-quota-burst", "MUST", "quota is not below burst", aboutConfigs],
    ["cpu-burst", "APPLY", "burst is the group's"],
    ["cpu-burst-quota", "MUST", "burst is not above quota: it is refused"],
    ["cpu-cpus", "APPLY", "cpus are the group's"],
    ["cpu-mems", "APPLY", "mems are the group's"],
    ["cpu-idle", "APPLY", "idle is the group's"],
  ],
  "Block IO": [
    ["block-weight-one", "MUST", "a weight of a device has weight or leafWeight", aboutConfigs],
    ["block-device-required", "REQUIRED", "a weight or a throttle without its device is refused"],
    ["block-rate-required", "REQUIRED", "a throttle without rate is refused"],
    ["block-read-bps", "APPLY", "throttleReadBpsDevice is the group's"],
    ["block-write-iops", "APPLY", "throttleWriteIOPSDevice is the group's"],
  ],
  "Huge page limits": [
    [
      "huge-page-required",
      "REQUIRED",
      "a limit of huge pages without pageSize or limit is refused",
    ],
    ["huge-page-limit", "APPLY", "the limit of huge pages is the group's"],
  ],
  Network: [
    ["network-required", "REQUIRED", "a priority without name or priority is refused"],
    [
      "network-class",
      "APPLY",
      "classID and priorities are the group's",
      "neither net_cls nor net_prio is mounted where these tests run, and v2 has none",
    ],
  ],
  PIDs: [
    ["pids-required", "REQUIRED", "a pids without limit is refused"],
    ["pids-limit", "APPLY", "limit is the group's"],
    ["pids-enforced", "APPLY", "no more tasks than limit can be made"],
  ],
  RDMA: [
    ["rdma-one", "MUST", "an entry of rdma has hcaHandles or hcaObjects", aboutConfigs],
    ["rdma-limit", "APPLY", "handles and objects are the group's", needsHardware],
  ],
  Unified: [
    ["unified-controllers", "MUST", "controllers that unified needs are enabled"],
    ["unified-unknown", "MUST", "a file that the runtime does not know is written as well"],
    ["unified-absent", "MUST", "a controller that is not there is refused"],
    ["unified-conversion", "MUST", "on v2, what of v1 cannot be converted is refused"],
  ],
});
