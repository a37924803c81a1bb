// Values that the schema and the rules of the specification have nothing against, and this kernel or host has: the error names the
// property or the call and its path, the value and the kernel's reason, and nothing is left. Those of cgroups are in
// cgroup-refusals.test.ts. Needs root.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { capabilities } from "../../src/abi/capability.ts";
import { expectRefusal } from "../support/refusal.ts";
import { openRoom, statusField } from "../support/room.ts";

const test = suite("kernel/refused-values");
const room = openRoom("refused");

type Change = NonNullable<Parameters<typeof room.makeBundle>[0]>;
type Case = readonly [name: string, change: Change, message: RegExp];

const types = ["pid", "network", "ipc", "uts", "mount"];

function withLinux(linux: object): Change {
  return { linux: { namespaces: types.map((type) => ({ type })), ...linux } };
}

/** With a namespace more, or another in the place of a new one. */
function withNamespace(type: string, path?: string, linux: object = {}): Change {
  const others = types.filter((one) => one !== type).map((one) => ({ type: one }));
  return { linux: { namespaces: [...others, { type, ...(path && { path }) }], ...linux } };
}

function withMount(mount: object): Change {
  return { mounts: [{ destination: "/mnt", source: "x", ...mount }] };
}

const plain = join(room.directory, "plain");
writeFileSync(plain, "");
const directory = join(room.directory, "directory");
mkdirSync(directory);
const long = "a".repeat(256);
const one = [{ containerID: 0, hostID: 0, size: 1 }];

const mounts: readonly Case[] = [
  [
    "a type",
    withMount({ type: "nofs" }),
    /"x" to rootfs at "\/mnt": fsopen "nofs": no such device$/,
  ],
  [
    "an option's value",
    withMount({ type: "tmpfs", options: ["size=wish"] }),
    /at "\/mnt": fsconfig "size=wish": invalid argument$/,
  ],
  [
    "an option",
    withMount({ type: "mqueue", options: ["wish"] }),
    /at "\/mnt": fsconfig "wish": invalid argument$/,
  ],
  [
    "a layer of an overlay",
    // Linux 6.1 does not even look for one that is alone.
    withMount({ type: "overlay", options: ["lowerdir=/nowhere:/neither"] }),
    /at "\/mnt": fsconfig( "lowerdir=\/nowhere:\/neither")?: no such file or directory$/,
  ],
  [
    "a block device",
    withMount({ type: "ext4", source: "/dev/nowhere" }),
    /mounting "\/dev\/nowhere" to rootfs at "\/mnt": fsconfig: no such file or directory$/,
  ],
  [
    "a source",
    withMount({ type: "bind", source: "/nowhere" }),
    /mounting "\/nowhere" to rootfs at "\/mnt": open_tree "\/nowhere": no such file or directory$/,
  ],
  [
    "a destination that is a file, for a directory",
    withMount({ type: "bind", source: directory, destination: "/bin/busybox" }),
    /\/directory" to rootfs at "\/bin\/busybox": openat "\.": not a directory$/,
  ],
  [
    "a destination below a file",
    withMount({ type: "tmpfs", destination: "/bin/busybox/x" }),
    /at "\/bin\/busybox\/x": openat2 "\/bin\/busybox\/x": not a directory$/,
  ],
  [
    "a destination's name",
    withMount({ type: "tmpfs", destination: `/${long}` }),
    /at "\/a{256}": openat2 "\/a{256}": file name too long$/,
  ],
  [
    "a file system that cannot be idmapped",
    withMount({ type: "bind", source: "/proc", uidMappings: one, gidMappings: one }),
    /mounting "\/proc" to rootfs at "\/mnt": .*MOUNT_ATTR_IDMAP on \/proc .*invalid argument$/,
  ],
];

const namespaces: readonly Case[] = [
  [
    "a path of another type",
    withNamespace("network", "/proc/self/ns/uts"),
    /linux\.namespaces: \/proc\/self\/ns\/uts is no network namespace, it is of another type \(CLONE_NEWUTS\)$/,
  ],
  [
    "a path that is no namespace",
    withNamespace("ipc", plain),
    /asking the ipc namespace \S+\/plain for its type: ioctl: inappropriate ioctl for device$/,
  ],
  [
    "a path that is not there",
    withNamespace("uts", "/nowhere"),
    /opening the uts namespace \/nowhere: openat "\/nowhere": no such file or directory$/,
  ],
  [
    "the user namespace that the runtime is in",
    withNamespace("user", "/proc/self/ns/user"),
    /joining the user namespace \/proc\/self\/ns\/user: setns: invalid argument$/,
  ],
  [
    "an offset of a clock that would be beyond its end",
    withNamespace("time", undefined, { timeOffsets: { boottime: { secs: 2 ** 53 - 1 } } }),
    /linux\.timeOffsets \(boottime 9007199254740991 0\): write "\/proc\/\d+\/timens_offsets": numerical result out of range$/,
  ],
  [
    "an offset of a clock that would be negative",
    withNamespace("time", undefined, { timeOffsets: { monotonic: { secs: -(2 ** 40) } } }),
    /linux\.timeOffsets \(monotonic -1099511627776 0\): write \S+: numerical result out of range$/,
  ],
];

const linux: readonly Case[] = [
  [
    "a device's place below a file",
    withLinux({ devices: [{ type: "c", path: "/bin/busybox/x", major: 1, minor: 3 }] }),
    /making the device \/bin\/busybox\/x: mknodat "x": not a directory$/,
  ],
  [
    "a device's place where something else is",
    withLinux({ devices: [{ type: "c", path: "/bin", major: 1, minor: 3 }] }),
    /making the device \/bin: \/bin is not the character device 1:3$/,
  ],
  [
    "a sysctl",
    withLinux({ sysctl: { "net.ipv4.wish": "1" } }),
    /the sysctl net\.ipv4\.wish to "1": openat2 "sys\/net\/ipv4\/wish": no such file or directory$/,
  ],
  [
    "a sysctl's value",
    withLinux({ sysctl: { "net.ipv4.ip_forward": "wish" } }),
    /the sysctl net\.ipv4\.ip_forward to "wish": write "sys\/net\/ipv4\/ip_forward": invalid argument$/,
  ],
  [
    "a network device",
    withLinux({ netDevices: { nowhere0: {} } }),
    /network device nowhere0 into the container as nowhere0 \(linux\.netDevices\): rtnetlink: no such device$/,
  ],
  [
    "a network device's name",
    withLinux({ netDevices: { lo: { name: "lo" } } }),
    /network device lo into the container as lo \(linux\.netDevices\): rtnetlink: file exists$/,
  ],
  [
    "memory nodes",
    withLinux({ memoryPolicy: { mode: "MPOL_BIND", nodes: "63" } }),
    /setting the memory policy MPOL_BIND 63: set_mempolicy: invalid argument$/,
  ],
  [
    "a memory policy's flag",
    withLinux({
      memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_NUMA_BALANCING"] },
    }),
    /memory policy MPOL_INTERLEAVE 0 MPOL_F_NUMA_BALANCING: set_mempolicy: invalid argument$/,
  ],
  [
    "a masked path's name",
    withLinux({ maskedPaths: [`/${long}`] }),
    /masking \/a{256}: openat2 "\/a{256}": file name too long$/,
  ],
  [
    "a read-only path that is a link",
    withLinux({ readonlyPaths: ["/proc/self/exe"] }),
    /making \/proc\/self\/exe read-only: openat2 "\/proc\/self\/exe": too many levels of symbolic links$/,
  ],
  [
    "a profile that is too long",
    withLinux({
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: Array.from({ length: 5000 }, (_, value) => ({
          names: ["personality"],
          action: "SCMP_ACT_ERRNO",
          args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
        })),
      },
    }),
    /compiling linux\.seccomp: the filter has more than 4096 instructions$/,
  ],
  [
    "an agent that nobody is",
    withLinux({
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        listenerPath: "/nowhere/agent",
        syscalls: [{ names: ["chmod"], action: "SCMP_ACT_NOTIFY" }],
      },
    }),
    /agent specified in the seccomp profile \/nowhere\/agent: connect: no such file or directory$/,
  ],
  [
    "a group of resctrl",
    withLinux({ intelRdt: { closID: "wish", l3CacheSchema: "L3:0=f" } }),
    /intelRdt.* is specified in config, but Intel RDT.* not .*enabled/,
  ],
];

const processes: readonly Case[] = [
  [
    "a limit above the system's",
    { process: { rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 ** 31 }] } },
    /setting RLIMIT_NOFILE to 1 and 2147483648: prlimit64: operation not permitted$/,
  ],
  [
    "a working directory that is a file",
    { process: { cwd: "/bin/busybox" } },
    /the working directory \/bin\/busybox: chdir "\/bin\/busybox": not a directory$/,
  ],
  [
    "a deadline",
    { process: { scheduler: { policy: "SCHED_DEADLINE", runtime: 9, deadline: 8, period: 7 } } },
    /SCHED_DEADLINE, runtime 9, deadline 8, period 7: sched_setattr: invalid argument$/,
  ],
  [
    "a policy that was never made",
    { process: { scheduler: { policy: "SCHED_ISO", nice: 5 } } },
    /setting the scheduler SCHED_ISO, nice 5: sched_setattr: invalid argument$/,
  ],
  [
    "a program that is a directory",
    { process: { args: ["/bin"] } },
    /exec: "\/bin": is a directory$/,
  ],
  [
    "a hook that is not there",
    { hooks: { createRuntime: [{ path: "/nowhere/hook" }] } },
    /createRuntime hook #0: fork\/exec \/nowhere\/hook: no such file or directory$/,
  ],
  [
    "a filter's instruction",
    { annotations: { "run.oci.seccomp_bpf_data": "//8AAAAAAAA=" } },
    /annotation run\.oci\.seccomp_bpf_data: instruction 0 of 1 has the code 0xffff/,
  ],
];

async function expectRefused(change: Change, message: RegExp): Promise<void> {
  const { directory: bundle } = room.makeBundle(change);
  expectRefusal(room.tsRunc(["create", "--bundle", bundle, room.newId()]), message);
  assert.equal(await room.leftovers(), []);
}

for (const [part, cases] of Object.entries({ mounts, namespaces, linux, processes })) {
  for (const [name, change, message] of cases) {
    test(`${part}: create names ${name}`, () => expectRefused(change, message));
  }
}

const bit = BigInt(capabilities.CAP_SYS_RESOURCE);
const isAbsolute = (BigInt(`0x${statusField(process.pid, "CapPrm")}`) & (1n << bit)) !== 0n;
if (isAbsolute) console.log("skip: what takes CAP_SYS_RESOURCE: it is there");
const withoutResource = isAbsolute ? test.skip : test;

withoutResource("processes: create names a capability that the runtime lacks", () => {
  const sets = Object.fromEntries(
    ["bounding", "permitted", "effective"].map((set) => [set, ["CAP_KILL", "CAP_SYS_RESOURCE"]]),
  );
  return expectRefused(
    { process: { capabilities: sets } },
    /process\.capabilities has CAP_SYS_RESOURCE, which the runtime lacks: capset: operation not permitted$/,
  );
});

withoutResource("processes: create names a score that takes a right", () =>
  expectRefused(
    { process: { oomScoreAdj: -1000 } },
    /process\.oomScoreAdj to -1000: write \/proc\/\d+\/oom_score_adj: permission denied$/,
  ),
);

test.after(() => room.remove());

test.run();
