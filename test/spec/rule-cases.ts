// One entry for each rule of src/spec/rules: a config that breaks it, where and how, and a similar one that keeps it.

import type { SpecFacts } from "../../src/spec/rules/rule.ts";
import { makeConfig, withNamespaces } from "./config-builder.ts";

export type RuleCase = {
  /** The broken config in words, as the end of "refuses ...". */
  readonly name: string;
  readonly broken: unknown;
  readonly sound: unknown;
  readonly pointer: string;
  /** A part of the message. */
  readonly message: string;
  readonly facts?: SpecFacts;
};

const map = [{ containerID: 0, hostID: 1000, size: 10 }];
const inUser = withNamespaces({ type: "user" });
const inTime = withNamespaces({ type: "time" });

const processCases: readonly RuleCase[] = [
  {
    name: "a relative cwd",
    broken: makeConfig({ process: { cwd: "tmp" } }),
    sound: makeConfig({ process: { cwd: "/tmp" } }),
    pointer: "/process/cwd",
    message: "Cwd must be an absolute path",
  },
  {
    name: "a cwd with a NUL byte",
    broken: makeConfig({ process: { cwd: "/a\0b" } }),
    sound: makeConfig({ process: { cwd: "/a b" } }),
    pointer: "/process/cwd",
    message: "NUL",
  },
  {
    name: "no args",
    broken: makeConfig({ process: { args: undefined } }),
    sound: makeConfig({ process: { args: ["sh"] } }),
    pointer: "/process/args",
    message: "args must not be empty",
  },
  {
    name: "empty args",
    broken: makeConfig({ process: { args: [] } }),
    sound: makeConfig({ process: { args: ["sh", ""] } }),
    pointer: "/process/args",
    message: "args must not be empty",
  },
  {
    name: "an argument with a NUL byte",
    broken: makeConfig({ process: { args: ["sh", "-c\0"] } }),
    sound: makeConfig({ process: { args: ["sh", "-c\n"] } }),
    pointer: "/process/args/1",
    message: "NUL",
  },
  {
    name: "an environment entry with a NUL byte",
    broken: makeConfig({ process: { env: ["A=1", "B=\0"] } }),
    sound: makeConfig({ process: { env: ["A=1", "B="] } }),
    pointer: "/process/env/1",
    message: "NUL",
  },
  {
    name: "a console that does not fit a terminal's size",
    broken: makeConfig({ process: { terminal: true, consoleSize: { height: 65536, width: 80 } } }),
    sound: makeConfig({ process: { consoleSize: { height: 65536, width: 80 } } }),
    pointer: "/process/consoleSize/height",
    message: "at most 65535",
  },
  {
    name: "the uid that means no change",
    broken: makeConfig({ process: { user: { uid: 4294967295 } } }),
    sound: makeConfig({ process: { user: { uid: 4294967294 } } }),
    pointer: "/process/user/uid",
    message: "is not an id",
  },
  {
    name: "an additional group that means no change",
    broken: makeConfig({ process: { user: { additionalGids: [1, 4294967295] } } }),
    sound: makeConfig({ process: { user: { additionalGids: [1, 4294967294] } } }),
    pointer: "/process/user/additionalGids/1",
    message: "is not an id",
  },
  {
    name: "more additional groups than the kernel takes",
    broken: makeConfig({ process: { user: { additionalGids: new Array(65_537).fill(1) } } }),
    sound: makeConfig({ process: { user: { additionalGids: new Array(65_536).fill(1) } } }),
    pointer: "/process/user/additionalGids",
    message: "at most 65536 entries, got 65537",
  },
  {
    name: "an unknown rlimit",
    broken: makeConfig({ process: { rlimits: [{ type: "RLIMIT_FILES", soft: 1, hard: 1 }] } }),
    sound: makeConfig({ process: { rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 1 }] } }),
    pointer: "/process/rlimits/0",
    message: "unknown type",
  },
  {
    name: "a soft limit above the hard one",
    broken: makeConfig({ process: { rlimits: [{ type: "RLIMIT_CPU", soft: 2, hard: 1 }] } }),
    sound: makeConfig({ process: { rlimits: [{ type: "RLIMIT_CPU", soft: 1, hard: 2 }] } }),
    pointer: "/process/rlimits/0",
    message: "above the hard one",
  },
  {
    name: "an effective capability that is not permitted",
    broken: makeConfig({
      process: { capabilities: { effective: ["CAP_CHOWN", "CAP_KILL"], permitted: ["CAP_CHOWN"] } },
    }),
    sound: makeConfig({
      process: { capabilities: { effective: ["CAP_KILL", "CAP_WISH"], permitted: ["CAP_KILL"] } },
    }),
    pointer: "/process/capabilities/effective/1",
    message: '"CAP_KILL" is not among the permitted ones',
  },
  {
    name: "the same rlimit twice",
    broken: makeConfig({
      process: {
        rlimits: ["CPU", "CPU"].map((type) => ({ type: `RLIMIT_${type}`, soft: 1, hard: 1 })),
      },
    }),
    sound: makeConfig({
      process: {
        rlimits: ["CPU", "AS"].map((type) => ({ type: `RLIMIT_${type}`, soft: 1, hard: 1 })),
      },
    }),
    pointer: "/process/rlimits/1",
    message: 'repeats the type "RLIMIT_CPU"',
  },
  {
    name: "an AppArmor profile with a NUL byte",
    broken: makeConfig({ process: { apparmorProfile: "a\0" } }),
    sound: makeConfig({ process: { apparmorProfile: "a" } }),
    pointer: "/process/apparmorProfile",
    message: "NUL",
  },
  {
    name: "an SELinux label with a NUL byte",
    broken: makeConfig({ process: { selinuxLabel: "a\0" } }),
    sound: makeConfig({ process: { selinuxLabel: "a" } }),
    pointer: "/process/selinuxLabel",
    message: "NUL",
  },
  {
    name: "an oomScoreAdj out of range",
    broken: makeConfig({ process: { oomScoreAdj: -1001 } }),
    sound: makeConfig({ process: { oomScoreAdj: -1000 } }),
    pointer: "/process/oomScoreAdj",
    message: "from -1000 to 1000",
  },
  {
    name: "a nice value out of range",
    broken: makeConfig({ process: { scheduler: { policy: "SCHED_OTHER", nice: 20 } } }),
    sound: makeConfig({ process: { scheduler: { policy: "SCHED_OTHER", nice: -20 } } }),
    pointer: "/process/scheduler/nice",
    message: "from -20 to 19",
  },
  {
    name: "a realtime policy without priority",
    broken: makeConfig({ process: { scheduler: { policy: "SCHED_FIFO" } } }),
    sound: makeConfig({ process: { scheduler: { policy: "SCHED_FIFO", priority: 99 } } }),
    pointer: "/process/scheduler/priority",
    message: "from 1 to 99",
  },
  {
    name: "a priority without a realtime policy",
    broken: makeConfig({ process: { scheduler: { policy: "SCHED_BATCH", priority: 1 } } }),
    sound: makeConfig({ process: { scheduler: { policy: "SCHED_BATCH", priority: 0 } } }),
    pointer: "/process/scheduler/priority",
    message: "SCHED_FIFO and SCHED_RR",
  },
  {
    name: "a deadline without its policy",
    broken: makeConfig({
      process: { scheduler: { policy: "SCHED_RR", priority: 1, deadline: 9 } },
    }),
    sound: makeConfig({ process: { scheduler: { policy: "SCHED_DEADLINE", deadline: 9 } } }),
    pointer: "/process/scheduler/deadline",
    message: "SCHED_DEADLINE",
  },
  {
    name: "an IO priority out of range",
    broken: makeConfig({ process: { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } } }),
    sound: makeConfig({ process: { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 7 } } }),
    pointer: "/process/ioPriority/priority",
    message: "from 0 to 7",
  },
  {
    name: "a CPU list that goes backwards",
    broken: makeConfig({ process: { execCPUAffinity: { final: "0,7-3" } } }),
    sound: makeConfig({ process: { execCPUAffinity: { initial: "", final: "0, 3-7" } } }),
    pointer: "/process/execCPUAffinity/final",
    message: "backwards: 7-3",
  },
];

const namespaceCases: readonly RuleCase[] = [
  ...(["hostname", "domainname"] as const).map((property) => ({
    name: `a ${property} without a uts namespace`,
    broken: makeConfig({ [property]: "box", linux: { namespaces: [] } }),
    sound: makeConfig({ [property]: "box" }),
    pointer: `/${property}`,
    message: `unable to set ${property} without a private UTS namespace`,
  })),
  {
    name: "a hostname that is too long",
    broken: makeConfig({ hostname: "ü".repeat(33) }),
    sound: makeConfig({ hostname: "ü".repeat(32) }),
    pointer: "/hostname",
    message: "at most 64 bytes",
  },
  {
    name: "a hostname with a NUL byte",
    broken: makeConfig({ hostname: "a\0" }),
    sound: makeConfig({ hostname: "", linux: { namespaces: [] } }),
    pointer: "/hostname",
    message: "NUL",
  },
  {
    name: "the same namespace twice",
    broken: makeConfig({ linux: withNamespaces({ type: "pid" }) }),
    sound: makeConfig({ linux: withNamespaces({ type: "cgroup" }) }),
    pointer: "/linux/namespaces/5",
    message: 'repeats the namespace "pid"',
  },
  {
    name: "a relative namespace path",
    broken: makeConfig({ linux: withNamespaces({ type: "cgroup", path: "ns/cgroup" }) }),
    sound: makeConfig({ linux: withNamespaces({ type: "cgroup", path: "" }) }),
    pointer: "/linux/namespaces/5",
    message: "absolute path",
  },
  {
    name: "mappings without a user namespace",
    broken: makeConfig({ linux: { uidMappings: map } }),
    sound: makeConfig({ linux: { uidMappings: [] } }),
    pointer: "/linux/uidMappings",
    message: "user namespace isn't enabled in the config",
  },
  {
    name: "a new user namespace without mappings of groups",
    broken: makeConfig({ linux: { ...inUser, uidMappings: map } }),
    sound: makeConfig({ linux: { ...inUser, uidMappings: map, gidMappings: map } }),
    pointer: "/linux/gidMappings",
    message: "no gid mappings and no namespace path",
  },
  {
    name: "mappings that overlap",
    broken: makeConfig({
      linux: {
        ...inUser,
        gidMappings: map,
        uidMappings: [{ containerID: 5, hostID: 5000, size: 10 }, ...map],
      },
    }),
    sound: makeConfig({
      linux: {
        ...inUser,
        gidMappings: map,
        uidMappings: [{ containerID: 10, hostID: 1010, size: 10 }, ...map],
      },
    }),
    pointer: "/linux/uidMappings/0",
    message: "overlaps another mapping in its containerID",
  },
  {
    name: "an empty mapping",
    broken: makeConfig({
      linux: {
        ...withNamespaces({ type: "user", path: "/ns" }),
        uidMappings: [{ ...map[0], size: 0 }],
      },
    }),
    sound: makeConfig({ linux: withNamespaces({ type: "user", path: "/ns" }) }),
    pointer: "/linux/uidMappings/0",
    message: "a size above 0",
  },
  {
    name: "a mapping beyond the last id",
    broken: makeConfig({
      linux: {
        ...inUser,
        gidMappings: map,
        uidMappings: [{ containerID: 0, hostID: 1, size: 4294967295 }],
      },
    }),
    sound: makeConfig({
      linux: {
        ...inUser,
        gidMappings: map,
        uidMappings: [{ containerID: 0, hostID: 0, size: 4294967295 }],
      },
    }),
    pointer: "/linux/uidMappings/0",
    message: "beyond the last id",
  },
  {
    name: "more mappings than the kernel takes",
    broken: makeConfig({ linux: { ...inUser, gidMappings: map, uidMappings: manyMappings(341) } }),
    sound: makeConfig({ linux: { ...inUser, gidMappings: map, uidMappings: manyMappings(340) } }),
    pointer: "/linux/uidMappings",
    message: "at most 340 entries",
  },
  {
    name: "a user that is not mapped",
    broken: makeConfig({
      process: { user: { uid: 10 } },
      linux: { ...inUser, uidMappings: map, gidMappings: map },
    }),
    sound: makeConfig({
      process: { user: { uid: 9 } },
      linux: { ...inUser, uidMappings: map, gidMappings: map },
    }),
    pointer: "/process/user/uid",
    message: "10 is not mapped",
  },
  {
    name: "an additional group that is not mapped",
    broken: makeConfig({
      process: { user: { additionalGids: [3, 20] } },
      linux: { ...inUser, uidMappings: map, gidMappings: map },
    }),
    sound: makeConfig({
      process: { user: { additionalGids: [3, 4] } },
      linux: { ...inUser, uidMappings: map, gidMappings: map },
    }),
    pointer: "/process/user/additionalGids/1",
    message: "20 is not mapped",
  },
  {
    name: "a rootless container without a user namespace",
    broken: makeConfig(),
    sound: makeConfig({ linux: { ...inUser, uidMappings: map, gidMappings: map } }),
    pointer: "/linux/namespaces",
    message: "rootless container requires user namespaces",
    facts: { rootless: true },
  },
  {
    name: "time offsets without a time namespace",
    broken: makeConfig({ linux: { timeOffsets: { monotonic: { secs: 1 } } } }),
    sound: makeConfig({ linux: { ...inTime, timeOffsets: { monotonic: { secs: 1 } } } }),
    pointer: "/linux/timeOffsets",
    message: "time namespace isn't enabled",
  },
  {
    name: "time offsets for an existing time namespace",
    broken: makeConfig({
      linux: { ...withNamespaces({ type: "time", path: "/ns" }), timeOffsets: { boottime: {} } },
    }),
    sound: makeConfig({
      linux: { ...withNamespaces({ type: "time", path: "/ns" }), timeOffsets: {} },
    }),
    pointer: "/linux/timeOffsets",
    message: "existing time namespace",
  },
  {
    name: "an offset of a clock that has none",
    broken: makeConfig({ linux: { ...inTime, timeOffsets: { realtime: { secs: 1 } } } }),
    sound: makeConfig({ linux: { ...inTime, timeOffsets: { boottime: { secs: 1 } } } }),
    pointer: "/linux/timeOffsets",
    message: 'monotonic or boottime, got "realtime"',
  },
  {
    name: "nanoseconds that make a second",
    broken: makeConfig({ linux: { ...inTime, timeOffsets: { boottime: { nanosecs: 1e9 } } } }),
    sound: makeConfig({ linux: { ...inTime, timeOffsets: { boottime: { nanosecs: 1e9 - 1 } } } }),
    pointer: "/linux/timeOffsets/boottime/nanosecs",
    message: "below 1000000000",
  },
  ...(["maskedPaths", "readonlyPaths"] as const).flatMap((property) => [
    {
      name: `${property} without a mount namespace`,
      broken: makeConfig({ linux: { namespaces: [], [property]: ["/proc/keys"] } }),
      sound: makeConfig({ linux: { namespaces: [], [property]: [] } }),
      pointer: `/linux/${property}`,
      message: "without a private MNT namespace",
    },
    {
      name: `${property} that are relative`,
      broken: makeConfig({ linux: { [property]: ["/a", "proc/keys"] } }),
      sound: makeConfig({ linux: { [property]: ["/a", "/proc/keys"] } }),
      pointer: `/linux/${property}/1`,
      message: "absolute path",
    },
  ]),
  {
    name: "private propagation without pivot_root",
    broken: makeConfig({ linux: { rootfsPropagation: "rprivate" } }),
    sound: makeConfig({ linux: { rootfsPropagation: "rslave" } }),
    pointer: "/linux/rootfsPropagation",
    message: "not safe without pivot_root",
    facts: { noPivot: true },
  },
];

const mountCases: readonly RuleCase[] = [
  ...["/", "", "//", "/..", "/a/.."].map((destination) => ({
    name: `a mount on the root as ${JSON.stringify(destination)}`,
    broken: makeConfig({ mounts: [{ destination, type: "tmpfs" }] }),
    sound: makeConfig({ mounts: [{ destination: `${destination}/b`, type: "tmpfs" }] }),
    pointer: "/mounts/0/destination",
    message: "must not be the root",
  })),
  {
    name: "a mount option with a NUL byte",
    broken: makeConfig({ mounts: [{ destination: "/a", options: ["ro", "mode=\0"] }] }),
    sound: makeConfig({ mounts: [{ destination: "/a", options: ["ro", "mode="] }] }),
    pointer: "/mounts/0/options/1",
    message: "NUL",
  },
  {
    name: "a tmpfs on /proc",
    broken: makeConfig({ mounts: [{ destination: "/x/../proc/", type: "tmpfs" }] }),
    sound: makeConfig({ mounts: [{ destination: "/proc", type: "proc" }] }),
    pointer: "/mounts/0/destination",
    message: '"/proc" cannot be mounted because it is not of type proc',
  },
  {
    name: "a mount inside /proc",
    broken: makeConfig({ mounts: [{ destination: "/proc/sys", type: "bind", source: "/a" }] }),
    sound: makeConfig({ mounts: [{ destination: "/proc/uptime", type: "bind", source: "/a" }] }),
    pointer: "/mounts/0/destination",
    message: '"/proc/sys" cannot be mounted because it is inside /proc',
  },
  {
    name: "a bind mount without a source",
    broken: makeConfig({ mounts: [{ destination: "/a", options: ["rbind"] }] }),
    sound: makeConfig({ mounts: [{ destination: "/a", source: "b", options: ["rbind"] }] }),
    pointer: "/mounts/0",
    message: "without a source",
  },
  {
    name: "mappings on a mount that is no bind mount",
    broken: makeConfig({
      mounts: [{ destination: "/a", type: "tmpfs", uidMappings: map, gidMappings: map }],
    }),
    sound: makeConfig({
      mounts: [
        { destination: "/a", type: "bind", source: "/b", uidMappings: map, gidMappings: map },
      ],
    }),
    pointer: "/mounts/0",
    message: "only possible on bind mounts",
  },
  {
    name: "a mount with mappings of users only",
    broken: makeConfig({
      mounts: [{ destination: "/a", type: "bind", source: "/b", uidMappings: map }],
    }),
    sound: makeConfig({
      mounts: [{ destination: "/a", type: "bind", source: "/b", uidMappings: [] }],
    }),
    pointer: "/mounts/0",
    message: "both uidMappings and gidMappings",
  },
  {
    name: "idmap without any mappings",
    broken: makeConfig({
      mounts: [{ destination: "/a", source: "/b", options: ["bind", "idmap"] }],
    }),
    sound: makeConfig({
      mounts: [{ destination: "/a", source: "/b", options: ["bind", "idmap"] }],
      linux: { ...inUser, uidMappings: map, gidMappings: map },
    }),
    pointer: "/mounts/0/options",
    message: "needs a user namespace",
  },
  {
    name: "an id mapping of a mount that overlaps another one",
    broken: makeConfig({
      mounts: [
        {
          destination: "/a",
          type: "bind",
          source: "/b",
          uidMappings: map,
          gidMappings: [...map, { containerID: 0, hostID: 5, size: 1 }],
        },
      ],
    }),
    sound: makeConfig({
      mounts: [
        {
          destination: "/a",
          type: "bind",
          source: "/b",
          uidMappings: map,
          gidMappings: [...map, { containerID: 1_000_000, hostID: 5, size: 1 }],
        },
      ],
    }),
    pointer: "/mounts/0/gidMappings/1",
    message: "overlaps another mapping in its containerID",
  },
  {
    name: "an option with a map that is none",
    broken: makeConfig({
      mounts: [
        { destination: "/a", source: "/b", options: ["bind", "idmap=uids=0-1-x;gids=0-1-1"] },
      ],
    }),
    sound: makeConfig({
      mounts: [
        { destination: "/a", source: "/b", options: ["bind", "idmap=uids=0-1-1;gids=0-1-1"] },
      ],
    }),
    pointer: "/mounts/0/options",
    message: "FROM-TO-LENGTH",
  },
  {
    name: "a symbolic link that is copied and not followed",
    broken: makeConfig({
      mounts: [
        { destination: "/a", source: "/b", options: ["bind", "copy-symlink", "src-nofollow"] },
      ],
    }),
    sound: makeConfig({
      mounts: [
        { destination: "/a", source: "/b", options: ["bind", "dest-nofollow", "src-nofollow"] },
      ],
    }),
    pointer: "/mounts/0/options",
    message: "mutually exclusive",
  },
  {
    name: "a symbolic link in the place of proc",
    broken: makeConfig({
      mounts: [{ destination: "/proc/", source: "/b", options: ["bind", "copy-symlink"] }],
    }),
    sound: makeConfig({
      mounts: [{ destination: "/proc/", source: "/proc", options: ["bind"] }],
    }),
    pointer: "/mounts/0/options",
    message: "of /proc",
  },
  {
    name: "an owner that a rootless container does not map",
    broken: makeConfig({
      mounts: [{ destination: "/dev/pts", type: "devpts", options: ["ro", "gid=50"] }],
      linux: { ...inUser, uidMappings: map, gidMappings: map },
    }),
    sound: makeConfig({
      mounts: [{ destination: "/dev/pts", type: "devpts", options: ["ro", "gid=5"] }],
      linux: { ...inUser, uidMappings: map, gidMappings: map },
    }),
    pointer: "/mounts/0/options/1",
    message: "50 is not mapped",
    facts: { rootless: true },
  },
];

const device = { type: "c", path: "/dev/x", major: 1, minor: 2 };

const linuxCases: readonly RuleCase[] = [
  {
    name: "a device with a relative path",
    broken: makeConfig({ linux: { devices: [{ ...device, path: "dev/x" }] } }),
    sound: makeConfig({ linux: { devices: [device] } }),
    pointer: "/linux/devices/0",
    message: "absolute path",
  },
  {
    name: "a device without a number",
    broken: makeConfig({ linux: { devices: [{ ...device, minor: undefined }] } }),
    sound: makeConfig({ linux: { devices: [{ type: "p", path: "/dev/fifo" }] } }),
    pointer: "/linux/devices/0",
    message: "must have major and minor",
  },
  {
    name: "a device with an impossible number",
    broken: makeConfig({ linux: { devices: [{ ...device, major: -1 }] } }),
    sound: makeConfig({ linux: { devices: [{ ...device, major: 4095, minor: 1048575 }] } }),
    pointer: "/linux/devices/0",
    message: "impossible device number -1:2",
  },
  ...(
    [
      ["a sysctl of the whole host", "kernel.core_pattern", "kernel.sem", "not in a separate"],
      ["a sysctl that climbs out of net", "net.//.kernel.core_pattern", "net.a/b.c", "not a name"],
      [
        "a sysctl that climbs with slashes",
        "net/../kernel/core_pattern",
        "net/a.b/c",
        "not a name",
      ],
      ["an empty sysctl", "", "net.x", "not a name"],
      [
        "the sysctl for the hostname",
        "kernel.hostname",
        "kernel.domainname",
        'OCI "hostname" field',
      ],
    ] as const
  ).map(([name, broken, sound, message]) => ({
    name,
    broken: makeConfig({ linux: { sysctl: { [broken]: "1" } } }),
    sound: makeConfig({ linux: { sysctl: { [sound]: "1" } } }),
    pointer: `/linux/sysctl/${broken.replaceAll("/", "~1")}`,
    message,
  })),
  ...(
    [
      ["net.ipv4.ip_forward", "network"],
      ["fs.mqueue.msg_max", "ipc"],
    ] as const
  ).map(([key, type]) => ({
    name: `the sysctl ${key} in the host's namespace`,
    broken: makeConfig({ linux: { namespaces: [], sysctl: { [key]: "1" } } }),
    sound: makeConfig({ linux: { namespaces: [{ type }], sysctl: { [key]: "1" } } }),
    pointer: `/linux/sysctl/${key}`,
    message: `hosts ${type} namespace`,
  })),
  {
    name: "network devices without a network namespace",
    broken: makeConfig({ linux: { namespaces: [], netDevices: { eth0: {} } } }),
    sound: makeConfig({ linux: { namespaces: [], netDevices: {} } }),
    pointer: "/linux/netDevices",
    message: "without a private NET namespace",
  },
  {
    name: "network devices in a rootless container",
    broken: makeConfig({
      linux: { ...inUser, uidMappings: map, gidMappings: map, netDevices: { eth0: {} } },
    }),
    sound: makeConfig({ linux: { ...inUser, uidMappings: map, gidMappings: map } }),
    pointer: "/linux/netDevices",
    message: "rootless",
    facts: { rootless: true },
  },
  ...["a b", "..", "a/b", "a:b", "0123456789abcdef"].map((name) => ({
    name: `the network device name ${JSON.stringify(name)}`,
    broken: makeConfig({ linux: { netDevices: { eth0: { name } } } }),
    sound: makeConfig({ linux: { netDevices: { eth0: { name: "" } } } }),
    pointer: "/linux/netDevices/eth0",
    message: "invalid network device name",
  })),
  {
    name: "two network devices of the same name",
    broken: makeConfig({ linux: { netDevices: { a: { name: "b" }, b: {} } } }),
    sound: makeConfig({ linux: { netDevices: { a: { name: "b" }, b: { name: "a" } } } }),
    pointer: "/linux/netDevices",
    message: "the same name",
  },
  {
    name: "a cgroupsPath with a NUL byte",
    broken: makeConfig({ linux: { cgroupsPath: "/a\0" } }),
    sound: makeConfig({ linux: { cgroupsPath: "/a" } }),
    pointer: "/linux/cgroupsPath",
    message: "NUL",
  },
  {
    name: "a mountLabel with a NUL byte",
    broken: makeConfig({ linux: { mountLabel: "a\0" } }),
    sound: makeConfig({ linux: { mountLabel: "a" } }),
    pointer: "/linux/mountLabel",
    message: "NUL",
  },
  ...["", ".", "..", "a/b", "//"].map((closID) => ({
    name: `the closID ${JSON.stringify(closID)}`,
    broken: makeConfig({ linux: { intelRdt: { closID } } }),
    sound: makeConfig({ linux: { intelRdt: { closID: "/" } } }),
    pointer: "/linux/intelRdt/closID",
    message: "invalid intelRdt.ClosID",
  })),
  {
    name: "a memory policy without a mode",
    broken: makeConfig({ linux: { memoryPolicy: { nodes: "0" } } }),
    sound: makeConfig({ linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "0-1" } } }),
    pointer: "/linux/memoryPolicy",
    message: "must have a mode",
  },
  {
    name: "memory nodes that are no list",
    broken: makeConfig({ linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "0-" } } }),
    sound: makeConfig({ linux: { memoryPolicy: { mode: "MPOL_PREFERRED", nodes: "" } } }),
    pointer: "/linux/memoryPolicy/nodes",
    message: "a list like 0-3,7",
  },
  {
    name: "memory nodes for the local policy",
    broken: makeConfig({ linux: { memoryPolicy: { mode: "MPOL_LOCAL", nodes: "0" } } }),
    sound: makeConfig({ linux: { memoryPolicy: { mode: "MPOL_LOCAL" } } }),
    pointer: "/linux/memoryPolicy/nodes",
    message: "must be empty",
  },
  {
    name: "a memory policy that lacks nodes",
    broken: makeConfig({ linux: { memoryPolicy: { mode: "MPOL_INTERLEAVE" } } }),
    sound: makeConfig({ linux: { memoryPolicy: { mode: "MPOL_DEFAULT" } } }),
    pointer: "/linux/memoryPolicy/nodes",
    message: "must name a node",
  },
  {
    name: "memory flags that exclude each other",
    broken: makeConfig({
      linux: {
        memoryPolicy: {
          mode: "MPOL_BIND",
          nodes: "0",
          flags: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"],
        },
      },
    }),
    sound: makeConfig({
      linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] } },
    }),
    pointer: "/linux/memoryPolicy/flags",
    message: "exclude each other",
  },
  {
    name: "a personality without a domain",
    broken: makeConfig({ linux: { personality: {} } }),
    sound: makeConfig({ linux: { personality: { domain: "LINUX" } } }),
    pointer: "/linux/personality",
    message: "must have a domain",
  },
  {
    name: "a device rule of an unknown type",
    broken: makeConfig({ linux: { resources: { devices: [{ allow: true, type: "p" }] } } }),
    sound: makeConfig({ linux: { resources: { devices: [{ allow: true, type: "a" }] } } }),
    pointer: "/linux/resources/devices/0",
    message: "invalid cgroup device type",
  },
  {
    name: "a device rule with an unknown access",
    broken: makeConfig({ linux: { resources: { devices: [{ allow: true, access: "rx" }] } } }),
    sound: makeConfig({ linux: { resources: { devices: [{ allow: true, access: "rwm" }] } } }),
    pointer: "/linux/resources/devices/0",
    message: "invalid cgroup device access",
  },
  {
    name: "a device rule with an impossible number",
    broken: makeConfig({ linux: { resources: { devices: [{ allow: true, major: -2 }] } } }),
    sound: makeConfig({ linux: { resources: { devices: [{ allow: true, major: -1 }] } } }),
    pointer: "/linux/resources/devices/0",
    message: "invalid device number -2:-1",
  },
  {
    name: "a device rule with a number that no device has",
    broken: makeConfig({ linux: { resources: { devices: [{ allow: true, minor: 2 ** 32 }] } } }),
    sound: makeConfig({ linux: { resources: { devices: [{ allow: true, minor: 2 ** 32 - 1 }] } } }),
    pointer: "/linux/resources/devices/0",
    message: "invalid device number -1:4294967296",
  },
  {
    name: "a weight of block IO above 1000",
    broken: makeConfig({ linux: { resources: { blockIO: { weight: 1001 } } } }),
    sound: makeConfig({ linux: { resources: { blockIO: { weight: 1000 } } } }),
    pointer: "/linux/resources/blockIO/weight",
    message: "at most 1000, got 1001",
  },
  {
    name: "a device's weight of block IO above 1000",
    broken: withWeight({ leafWeight: 1001 }),
    sound: withWeight({ leafWeight: 1000 }),
    pointer: "/linux/resources/blockIO/weightDevice/0/leafWeight",
    message: "at most 1000, got 1001",
  },
  {
    name: "a burst above the quota",
    broken: makeConfig({ linux: { resources: { cpu: { quota: 1000, burst: 1001 } } } }),
    sound: makeConfig({ linux: { resources: { cpu: { quota: -1, burst: 1001 } } } }),
    pointer: "/linux/resources/cpu/burst",
    message: "at most the quota of 1000, got 1001",
  },
  {
    name: "swappiness above 100",
    broken: makeConfig({ linux: { resources: { memory: { swappiness: 101 } } } }),
    sound: makeConfig({ linux: { resources: { memory: { swappiness: 100 } } } }),
    pointer: "/linux/resources/memory/swappiness",
    message: "from 0 to 100",
  },
  ...["a/b", "..", ""].map((key) => ({
    name: `the unified resource ${JSON.stringify(key)}`,
    broken: makeConfig({ linux: { resources: { unified: { [key]: "1" } } } }),
    sound: makeConfig({ linux: { resources: { unified: { "memory.high": "1" } } } }),
    pointer: `/linux/resources/unified/${key.replaceAll("/", "~1")}`,
    message: "must be a file name (no slashes)",
  })),
];

const filter = { defaultAction: "SCMP_ACT_ERRNO" };
const notify = { names: ["mount"], action: "SCMP_ACT_NOTIFY" };

const seccompCases: readonly RuleCase[] = [
  {
    name: "a filter in an annotation that is no base64",
    broken: makeConfig({ annotations: { "run.oci.seccomp_bpf_data": "%" } }),
    sound: makeConfig({ annotations: { "run.oci.seccomp_bpf_data": "BgAAAAAA/38=" } }),
    pointer: "/annotations/run.oci.seccomp_bpf_data",
    message: "must be the base64 of at most 4096 instructions",
  },
  {
    name: "a filter in an annotation that ends in an instruction",
    broken: makeConfig({ annotations: { "run.oci.seccomp_bpf_data": "BgAAAAAA" } }),
    sound: makeConfig({ annotations: { "run.oci.seccomp_bpf_data": "BgAAAAAA/38=" } }),
    pointer: "/annotations/run.oci.seccomp_bpf_data",
    message: "got 6 bytes",
  },
  {
    name: "NOTIFY as seccomp's default action",
    broken: withSeccomp({ defaultAction: "SCMP_ACT_NOTIFY" }),
    sound: withSeccomp(filter),
    pointer: "/linux/seccomp/defaultAction",
    message: "SCMP_ACT_NOTIFY cannot be used as default action",
  },
  {
    name: "a default error number beyond the kernel's",
    broken: withSeccomp({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 4096 }),
    sound: withSeccomp({ defaultAction: "SCMP_ACT_TRACE", defaultErrnoRet: 4096 }),
    pointer: "/linux/seccomp/defaultErrnoRet",
    message: "must be at most 4095 with SCMP_ACT_ERRNO, got 4096",
  },
  {
    name: "an error number beyond the kernel's",
    broken: withSeccomp({
      ...filter,
      syscalls: [{ names: ["close"], action: "SCMP_ACT_ERRNO", errnoRet: 70_000 }],
    }),
    sound: withSeccomp({
      ...filter,
      syscalls: [{ names: ["close"], action: "SCMP_ACT_ERRNO", errnoRet: 4095 }],
    }),
    pointer: "/linux/seccomp/syscalls/0/errnoRet",
    message: "must be at most 4095 with SCMP_ACT_ERRNO, got 70000",
  },
  {
    name: "a default errno for an action without one",
    broken: withSeccomp({ defaultAction: "SCMP_ACT_KILL", defaultErrnoRet: 1 }),
    sound: withSeccomp({ defaultAction: "SCMP_ACT_TRACE", defaultErrnoRet: 1 }),
    pointer: "/linux/seccomp/defaultErrnoRet",
    message: "not with SCMP_ACT_KILL",
  },
  {
    name: "NOTIFY without a listener",
    broken: withSeccomp({ ...filter, syscalls: [notify] }),
    sound: withSeccomp({ ...filter, syscalls: [notify], listenerPath: "/run/l" }),
    pointer: "/linux/seccomp/listenerPath",
    message: "must be set when SCMP_ACT_NOTIFY is used",
  },
  {
    name: "listener metadata without a listener",
    broken: withSeccomp({ ...filter, listenerMetadata: "x" }),
    sound: withSeccomp({ ...filter, listenerMetadata: "x", listenerPath: "/run/l" }),
    pointer: "/linux/seccomp/listenerMetadata",
    message: "without listenerPath",
  },
  {
    name: "killable waiting without NOTIFY",
    broken: withSeccomp({ ...filter, flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] }),
    sound: withSeccomp({ ...filter, flags: ["SECCOMP_FILTER_FLAG_LOG"] }),
    pointer: "/linux/seccomp/flags",
    message: "needs SCMP_ACT_NOTIFY",
  },
  {
    name: "a listener path with a NUL byte",
    broken: withSeccomp({ ...filter, listenerPath: "/a\0" }),
    sound: withSeccomp({ ...filter, listenerPath: "/a" }),
    pointer: "/linux/seccomp/listenerPath",
    message: "NUL",
  },
  {
    name: "NOTIFY for write",
    broken: withSeccomp({
      ...filter,
      listenerPath: "/l",
      syscalls: [{ ...notify, names: ["write"] }],
    }),
    sound: withSeccomp({
      ...filter,
      listenerPath: "/l",
      syscalls: [{ ...notify, names: ["writev"] }],
    }),
    pointer: "/linux/seccomp/syscalls/0",
    message: "SCMP_ACT_NOTIFY cannot be used for the write syscall",
  },
  {
    name: "an errno for an action without one",
    broken: withSeccomp({
      ...filter,
      syscalls: [{ names: ["a"], action: "SCMP_ACT_LOG", errnoRet: 1 }],
    }),
    sound: withSeccomp({
      ...filter,
      syscalls: [{ names: ["a"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
    }),
    pointer: "/linux/seccomp/syscalls/0/errnoRet",
    message: "not with SCMP_ACT_LOG",
  },
  {
    name: "the seventh argument of a call",
    broken: withSeccompArgument({ index: 6, value: 1 }),
    sound: withSeccompArgument({ index: 5, value: 1 }),
    pointer: "/linux/seccomp/syscalls/0/args/0/index",
    message: "from 0 to 5",
  },
  {
    name: "a seccomp value that may have been rounded",
    broken: withSeccompArgument({ index: 0, value: 2 ** 63 }),
    sound: withSeccompArgument({ index: 0, value: 2 ** 62 }),
    pointer: "/linux/seccomp/syscalls/0/args/0",
    message: "cannot be held exactly",
  },
];

const configCases: readonly RuleCase[] = [
  ...["2.0.0", "0.9.0", "1", "1.0", "", "v1.0.0", "1.0.0 ", "01.0.0"].map((ociVersion) => ({
    name: `the version ${JSON.stringify(ociVersion)}`,
    broken: makeConfig({ ociVersion }),
    sound: makeConfig({ ociVersion: "1.0.2-dev" }),
    pointer: "/ociVersion",
    message:
      /^[02]/.test(ociVersion) && ociVersion !== "01.0.0" ? "only versions 1.x" : "like 1.3.0",
  })),
  {
    name: "a config without root",
    broken: makeConfig({ root: undefined }),
    sound: makeConfig({ root: { path: "/abs" } }),
    pointer: "/root",
    message: "root property must not be empty",
  },
  {
    name: "an empty root path",
    broken: makeConfig({ root: { path: "" } }),
    sound: makeConfig({ root: { path: "." } }),
    pointer: "/root/path",
    message: "must not be empty",
  },
  {
    name: "a root path with a NUL byte",
    broken: makeConfig({ root: { path: "a\0" } }),
    sound: makeConfig({ root: { path: "a" } }),
    pointer: "/root/path",
    message: "NUL",
  },
  {
    name: "a config without process",
    broken: { ociVersion: "1.3.0", root: { path: "rootfs" } },
    sound: { ociVersion: "1.3.0", root: { path: "rootfs" }, process: { cwd: "/", args: ["a"] } },
    pointer: "/process",
    message: "process property must not be empty",
  },
  {
    name: "a hook with a relative path",
    broken: makeConfig({ hooks: { poststop: [{ path: "/a" }, { path: "b" }] } }),
    sound: makeConfig({ hooks: { poststop: [{ path: "/a" }, { path: "/b" }] } }),
    pointer: "/hooks/poststop/1/path",
    message: "absolute path",
  },
  {
    name: "a hook's argument with a NUL byte",
    broken: makeConfig({ hooks: { poststart: [{ path: "/a", args: ["\0"] }] } }),
    sound: makeConfig({ hooks: { poststart: [{ path: "/a", args: [""] }] } }),
    pointer: "/hooks/poststart/0/args/0",
    message: "NUL",
  },
  {
    name: "a hook's environment with a NUL byte",
    broken: makeConfig({ hooks: { createRuntime: [{ path: "/a", env: ["\0"] }] } }),
    sound: makeConfig({ hooks: { createRuntime: [{ path: "/a", env: ["A="] }] } }),
    pointer: "/hooks/createRuntime/0/env/0",
    message: "NUL",
  },
  {
    name: "a group below a unit by a path",
    broken: makeConfig({ annotations: { "run.oci.systemd.subgroup": "a/b" } }),
    sound: makeConfig({ annotations: { "run.oci.systemd.subgroup": "a" } }),
    pointer: "/annotations/run.oci.systemd.subgroup",
    message: 'must be the name of one cgroup, without slashes, got "a/b"',
  },
  {
    name: "a group above the container's own for its processes",
    broken: makeConfig({ annotations: { "run.oci.delegate-cgroup": ".." } }),
    sound: makeConfig({ annotations: { "run.oci.delegate-cgroup": "..." } }),
    pointer: "/annotations/run.oci.delegate-cgroup",
    message: 'must be the name of one cgroup, and not the way to another, got ".."',
  },
  {
    name: "a file of every group for a group",
    broken: makeConfig({ annotations: { "run.oci.delegate-cgroup": "cgroup.procs" } }),
    sound: makeConfig({ annotations: { "run.oci.delegate-cgroup": "init.scope" } }),
    pointer: "/annotations/run.oci.delegate-cgroup",
    message: "and not one that the kernel may have given to a file of it",
  },
  {
    name: "a file of a v1 group for a group",
    broken: makeConfig({ annotations: { "run.oci.systemd.subgroup": "tasks" } }),
    sound: makeConfig({ annotations: { "run.oci.systemd.subgroup": "memory" } }),
    pointer: "/annotations/run.oci.systemd.subgroup",
    message: "and not one that the kernel may have given to a file of it",
  },
  {
    name: "a group whose name has more bytes than a name can have",
    broken: makeConfig({ annotations: { "run.oci.delegate-cgroup": "é".repeat(128) } }),
    sound: makeConfig({ annotations: { "run.oci.delegate-cgroup": "é".repeat(127) } }),
    pointer: "/annotations/run.oci.delegate-cgroup",
    message: "of at most 255 bytes",
  },
  {
    name: "a group whose name has a line end",
    broken: makeConfig({ annotations: { "run.oci.delegate-cgroup": "a\nb" } }),
    sound: makeConfig({ annotations: { "run.oci.delegate-cgroup": "" } }),
    pointer: "/annotations/run.oci.delegate-cgroup",
    message: "without line ends",
  },
  {
    name: "an annotation without a name",
    broken: makeConfig({ annotations: { "": "x" } }),
    sound: makeConfig({ annotations: { x: "" } }),
    pointer: "/annotations/",
    message: "must not have an empty key",
  },
  {
    name: "an annotation that the schema overlooks",
    broken: makeConfig({ annotations: { "\n": 5 } }),
    sound: makeConfig({ annotations: { "\n": "5" } }),
    pointer: "/annotations/\n",
    message: "must be a string",
  },
];

export const ruleCases: readonly RuleCase[] = [
  ...configCases,
  ...processCases,
  ...namespaceCases,
  ...mountCases,
  ...linuxCases,
  ...seccompCases,
];

function manyMappings(count: number): readonly object[] {
  return Array.from({ length: count }, (_, index) => ({
    containerID: index,
    hostID: 5000 + 2 * index,
    size: 1,
  }));
}

function withWeight(weights: object): unknown {
  const weightDevice = [{ major: 8, minor: 0, ...weights }];
  return makeConfig({ linux: { resources: { blockIO: { weightDevice } } } });
}

function withSeccomp(seccomp: object): unknown {
  return makeConfig({ linux: { seccomp } });
}

function withSeccompArgument(argument: object): unknown {
  const args = [{ ...argument, op: "SCMP_CMP_EQ" }];
  return withSeccomp({ ...filter, syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", args }] });
}
