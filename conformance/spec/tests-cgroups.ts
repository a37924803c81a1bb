// Tests of cgroups (config-linux.md), on v1 and on v2.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { groupSetting, groupsOf, hasController, isV2 } from "./cgroups.ts";
import { type Config, namespaces, proc, usualNamespaces } from "./config.ts";
import { expect, expectMatch, expectSame, needs } from "./expect.ts";
import { type Room, readText, type Test, type Tests } from "./room.ts";

const mebibyte = 1024 * 1024;
const onlyV2 = "the machine has cgroup v1";
const onlyV1 = "the machine has cgroup v2, which has no such setting";

type Setting = {
  readonly controller: string;
  readonly resources: object;
  readonly v1: string;
  readonly v2: string;
  readonly shows: RegExp;
};

/** A file of the group has what the config says. */
function sets({ controller, resources, v1, v2, shows }: Setting): Test {
  return (room) => {
    needs(hasController(controller), `the machine has no ${controller} controller`);
    needs(!isV2 || v2 !== "", onlyV1);
    const pid = room.create({ linux: { resources } }).pid();
    expectMatch(isV2 ? v2 : v1, groupSetting(pid, { v1, v2 }), shows);
  };
}

/** The groups of a created container with this cgroupsPath. */
function groupsWith(room: Room, change: Config): readonly string[] {
  const cgroupsPath = `/${room.newName()}`;
  const pid = room.create({ ...change, linux: { ...change.linux, cgroupsPath } }).pid();
  return groupsOf(pid).filter((group) => group.endsWith(cgroupsPath));
}

/** Who owns the groups of a container of user 1000, and the files in them. */
function ownersWith(
  room: Room,
  { options, types }: { readonly options: readonly string[]; readonly types: readonly string[] },
) {
  const mount = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options };
  const sys = { destination: "/sys", type: "sysfs", source: "sysfs" };
  const groups = groupsWith(room, {
    mounts: [proc, sys, mount],
    process: { user: { uid: 1000, gid: 1000 } },
    linux: { namespaces: namespaces(...types) },
  });
  const files = groups.flatMap((group) => readdirSync(group).map((name) => join(group, name)));
  return {
    groups: groups.map((group) => statSync(group).uid),
    files: files.filter((file) => statSync(file).uid !== 0).map((file) => file.split("/").at(-1)),
  };
}

const all = [...usualNamespaces];
const without = usualNamespaces.filter((type) => type !== "cgroup");

const ownerTests: Tests = {
  "cgroup-owner-v1": (room) => {
    needs(!isV2, "the machine has cgroup v2");
    const { groups } = ownersWith(room, { options: ["rw"], types: all });
    expectSame("owners", [...new Set(groups)], [0]);
  },
  "cgroup-owner-namespace": (room) => {
    const { groups } = ownersWith(room, { options: ["rw"], types: without });
    expectSame("owners", [...new Set(groups)], [0]);
  },
  "cgroup-owner-writable": (room) => {
    needs(isV2, onlyV2);
    const { groups } = ownersWith(room, { options: ["rw"], types: all });
    expectSame("owners", [...new Set(groups)], [1000]);
  },
  "cgroup-owner-read-only": (room) => {
    const { groups } = ownersWith(room, { options: ["ro"], types: all });
    expectSame("owners", [...new Set(groups)], [0]);
  },
  "cgroup-owner-others": (room) => {
    const delegated = readText("/sys/kernel/cgroup/delegate").split("\n");
    const { files } = ownersWith(room, { options: ["rw"], types: all });
    expectSame(
      "others",
      files.filter((name) => !delegated.includes(String(name))),
      [],
    );
  },
};

const testDevice = { path: "/dev/mine", type: "c", major: 10, minor: 229, fileMode: 0o666 };
const rule = (allow: boolean, access: string) => ({
  allow,
  type: "c",
  major: 10,
  minor: 229,
  access,
});

/** Whether a container with these rules may open the device: for reading, for writing. Another error than EPERM is the driver's. */
function mayOpen(room: Room, rules: readonly object[]): readonly string[] {
  const open = (redirection: string) =>
    `(: ${redirection} /dev/mine) 2>&1 | grep -q 'not permitted' && echo no || echo yes`;
  const resources = { devices: [{ allow: false, access: "rwm" }, ...rules] };
  // The device itself is a rule, too, of some runtimes: it is made by hand.
  const bundle = room.bundle({
    process: { args: ["sh", "-c", `${open("<")}; ${open(">>")}`] },
    linux: { resources },
  });
  const { path, major, minor } = testDevice;
  const made = Bun.spawnSync([
    "mknod",
    "-m",
    "666",
    join(bundle.rootfs, path),
    "c",
    `${major}`,
    `${minor}`,
  ]);
  needs(made.success, "the host does not let us make a device");
  const container = room.createFrom(bundle);
  container.start();
  container.wait();
  return container.output().trim().split("\n");
}

/** The first disk of the machine, as major and minor. */
function findDisk(): { readonly major: number; readonly minor: number } | undefined {
  const [, major, minor] =
    /^\s*(\d+)\s+(\d+)\s+\d+ (?!loop|ram|sr)\w+$/m.exec(readText("/proc/partitions")) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** A throttle of the first disk shows in a file. */
function throttles(name: string, v1: string, v2: string): Test {
  return (room) => {
    const disk = findDisk();
    if (disk === undefined) return needs(false, "the machine has no disk");
    const { major, minor } = disk;
    sets({
      controller: isV2 ? "io" : "blkio",
      resources: { blockIO: { [name]: [{ major, minor, rate: 4096 }] } },
      v1,
      v2: "io.max",
      shows: new RegExp(`^${major}:${minor} .*\\b${isV2 ? `${v2}=` : ""}4096\\b`, "m"),
    })(room);
  };
}

const limitTests: Tests = {
  "memory-limit": sets({
    controller: "memory",
    resources: { memory: { limit: 64 * mebibyte } },
    v1: "memory.limit_in_bytes",
    v2: "memory.max",
    shows: /^67108864$/,
  }),
  "memory-unlimited": sets({
    controller: "memory",
    resources: { memory: { limit: -1 } },
    v1: "memory.limit_in_bytes",
    v2: "memory.max",
    shows: /^(max|9223372036854771712)$/,
  }),
  "memory-reservation": sets({
    controller: "memory",
    resources: { memory: { reservation: 32 * mebibyte } },
    v1: "memory.soft_limit_in_bytes",
    v2: "memory.low",
    shows: /^33554432$/,
  }),
  "memory-swap": (room) => {
    const swapCounted = isV2 || existsSync("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
    needs(swapCounted, "the kernel does not count swap");
    const memory = { limit: 64 * mebibyte, swap: 96 * mebibyte };
    const shows = isV2 ? /^33554432$/ : /^100663296$/;
    sets({
      controller: "memory",
      resources: { memory },
      v1: "memory.memsw.limit_in_bytes",
      v2: "memory.swap.max",
      shows,
    })(room);
  },
  "memory-swappiness": sets({
    controller: "memory",
    resources: { memory: { swappiness: 17 } },
    v1: "memory.swappiness",
    v2: "",
    shows: /^17$/,
  }),
  "memory-oom": sets({
    controller: "memory",
    resources: { memory: { limit: 64 * mebibyte, disableOOMKiller: true } },
    v1: "memory.oom_control",
    v2: "",
    shows: /^oom_kill_disable 1$/m,
  }),
  "cpu-shares": sets({
    controller: "cpu",
    resources: { cpu: { shares: 512 } },
    v1: "cpu.shares",
    v2: "cpu.weight",
    shows: isV2 ? /^(?!100$)\d+$/ : /^512$/,
  }),
  "cpu-quota": (room) => {
    const cpu = { quota: 30_000, period: 60_000 };
    const shared = { controller: "cpu", resources: { cpu }, v2: "cpu.max" };
    sets({ ...shared, v1: "cpu.cfs_quota_us", shows: isV2 ? /^30000 60000$/ : /^30000$/ })(room);
    sets({ ...shared, v1: "cpu.cfs_period_us", shows: /60000$/ })(room);
  },
  "cpu-burst": sets({
    controller: "cpu",
    resources: { cpu: { quota: 50_000, period: 100_000, burst: 20_000 } },
    v1: "cpu.cfs_burst_us",
    v2: "cpu.max.burst",
    shows: /^20000$/,
  }),
  "cpu-cpus": sets({
    controller: "cpuset",
    resources: { cpu: { cpus: "0" } },
    v1: "cpuset.cpus",
    v2: "cpuset.cpus",
    shows: /^0$/,
  }),
  "cpu-mems": sets({
    controller: "cpuset",
    resources: { cpu: { mems: "0" } },
    v1: "cpuset.mems",
    v2: "cpuset.mems",
    shows: /^0$/,
  }),
  "cpu-idle": sets({
    controller: "cpu",
    resources: { cpu: { idle: 1 } },
    v1: "cpu.idle",
    v2: "cpu.idle",
    shows: /^1$/,
  }),
  "block-read-bps": throttles("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"),
  "block-write-iops": throttles(
    "throttleWriteIOPSDevice",
    "blkio.throttle.write_iops_device",
    "wiops",
  ),
  "huge-page-limit": (room) => {
    const [size] = existsSync("/sys/kernel/mm/hugepages")
      ? readdirSync("/sys/kernel/mm/hugepages")
      : [];
    const kibibytes = Number(/(\d+)kB/.exec(size ?? "")?.[1] ?? 0);
    needs(kibibytes > 0 && hasController("hugetlb"), "the machine has no hugetlb controller");
    const pageSize = kibibytes >= mebibyte ? `${kibibytes / mebibyte}GB` : `${kibibytes / 1024}MB`;
    const resources = { hugepageLimits: [{ pageSize, limit: kibibytes * 1024 }] };
    sets({
      controller: "hugetlb",
      resources,
      v1: `hugetlb.${pageSize}.limit_in_bytes`,
      v2: `hugetlb.${pageSize}.max`,
      shows: new RegExp(`^${kibibytes * 1024}$`),
    })(room);
  },
  "pids-limit": sets({
    controller: "pids",
    resources: { pids: { limit: 23 } },
    v1: "pids.max",
    v2: "pids.max",
    shows: /^23$/,
  }),
  "pids-enforced": (room) => {
    needs(hasController("pids"), "the machine has no pids controller");
    const script = "i=0; while [ $i -lt 8 ]; do sleep 5 & i=$((i+1)); echo $i; done 2>/dev/null";
    const made = room.probe(script, { linux: { resources: { pids: { limit: 4 } } } });
    // The shell and three more.
    expectSame("tasks", made.split("\n").at(-1), "3");
  },
};

const unifiedTests: Tests = {
  "unified-controllers": (room) => {
    needs(isV2, onlyV2);
    const pid = room.create({ linux: { resources: { unified: { "pids.max": "31" } } } }).pid();
    expectSame("pids.max", groupSetting(pid, { v1: "", v2: "pids.max" }), "31");
  },
  "unified-unknown": (room) => {
    needs(isV2, onlyV2);
    const pid = room
      .create({ linux: { resources: { unified: { "cgroup.max.depth": "3" } } } })
      .pid();
    expectSame("cgroup.max.depth", groupSetting(pid, { v1: "", v2: "cgroup.max.depth" }), "3");
  },
  "unified-absent": (room) => {
    needs(isV2, onlyV2);
    room.refuses({ linux: { resources: { unified: { "conformance.max": "1" } } } });
  },
  "unified-conversion": (room) => {
    needs(isV2, onlyV2);
    // With runtimes that warn of it, or pass over it, nothing is lost silently only when they say so.
    const { stdout, stderr, status } = room.tryCreate(
      room.bundle({ linux: { resources: { memory: { swappiness: 10 } } } }),
    );
    expect(status > 0 || `${stdout}${stderr}` !== "", "create succeeds without a word");
  },
};

export const cgroupTests: Tests = {
  ...ownerTests,
  ...limitTests,
  ...unifiedTests,
  "cgroup-path-absolute": (room) => {
    const groups = groupsWith(room, {});
    expect(groups.length > 0, "no group has the path");
    // Right below the mount points: nothing of our own group is in front.
    const places = isV2 ? /^\/sys\/fs\/cgroup\/[^/]+$/ : /^\/sys\/fs\/cgroup\/[^/]+\/[^/]+$/;
    expectSame(
      "elsewhere",
      groups.filter((group) => !places.test(group)),
      [],
    );
  },
  "cgroup-path-same": (room) => {
    const cgroupsPath = `/${room.newName()}`;
    const [first, second] = [1, 2].map(() => {
      const container = room.create({ linux: { cgroupsPath } });
      const groups = groupsOf(container.pid());
      container.start();
      container.wait();
      container.remove();
      return groups;
    });
    expectSame("groups", second, first);
  },
  "cgroup-made": (room) => {
    const groups = groupsWith(room, { linux: { resources: { pids: { limit: 10 } } } });
    expect(groups.length > 0 && groups.every(existsSync), "no group is made");
  },
  "devices-order": (room) => {
    const open = mayOpen(room, [rule(true, "rwm"), rule(false, "w")]);
    expectSame("reading and writing", open, ["yes", "no"]);
    const again = mayOpen(room, [rule(false, "w"), rule(true, "rwm")]);
    expectSame("reading and writing, the other way round", again, ["yes", "yes"]);
  },
  "devices-deny": (room) => expectSame("reading and writing", mayOpen(room, []), ["no", "no"]),
  "devices-access": (room) => {
    expectSame("reading and writing", mayOpen(room, [rule(true, "r")]), ["yes", "no"]);
  },
};
