// Tests of namespaces, devices, paths and the rest of config-linux.md, cgroups and seccomp aside.

import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Config,
  devPts,
  inUserNamespace,
  namespaces,
  ownDev,
  proc,
  usualNamespaces,
} from "./config.ts";
import { expect, expectMatch, expectSame, needs } from "./expect.ts";
import { mountAt } from "./mountinfo.ts";
import { type Room, readText, type Test, type Tests } from "./room.ts";
import { probeTerminal } from "./terminal.ts";

const withNamespaces = (...types: readonly string[]): Config => ({
  linux: { namespaces: namespaces(...types) },
});

/** Names of types in /proc/PID/ns, where these are others. */
const fileOf: Readonly<Record<string, string>> = { network: "net", mount: "mnt" };
const namespaceOf = (pid: number | "self", type: string): string =>
  readlinkSync(`/proc/${pid}/ns/${fileOf[type] ?? type}`);

/** A container with a namespace of this type is not in the runtime's. */
function isNew(type: string, change: Config = withNamespaces(...usualNamespaces, type)): Test {
  return (room) => {
    const pid = room.live(dedupe(change)).pid();
    expect(namespaceOf(pid, type) !== namespaceOf("self", type), "it is the runtime's");
  };
}

function dedupe(change: Config): Config {
  const types = change.linux?.["namespaces"];
  if (!Array.isArray(types)) return change;
  const kept = types.filter(
    (each, index) => types.findIndex((other) => other.type === each.type) === index,
  );
  return { ...change, linux: { ...change.linux, namespaces: kept } };
}

function refuses(linux: object): Test {
  return (room) => void room.refuses({ linux: { ...linux } });
}

const namespaceTests: Tests = {
  "namespace-pid": (room) => {
    expectSame("pid", room.probe("echo $$"), "1");
    const seen = room.probe("ls /proc | grep -c '^[0-9]'");
    expect(Number(seen) < 6, `${seen} processes`);
  },
  "namespace-network": (room) => {
    const names = room.probe(
      "cut -d: -f1 /proc/net/dev",
      withNamespaces(...usualNamespaces, "network"),
    );
    expectMatch("devices", names, /\blo\b/);
    isNew("network")(room);
  },
  "namespace-mount": (room) => {
    isNew("mount")(room);
    const places = room.probe("cut -d' ' -f5 /proc/self/mountinfo").split("\n");
    expectSame("mounts of the root", places.filter((place) => place === "/").length, 1);
    expect(!places.some((place) => place.startsWith(room.directory)), "the host's mounts");
  },
  "namespace-ipc": (room) => {
    const before = readText("/proc/sysvipc/msg");
    expectMatch("queue", room.probe("ipcmk -Q >/dev/null; wc -l </proc/sysvipc/msg"), /^\s*[12]$/);
    expectSame("the host's queues", readText("/proc/sysvipc/msg"), before);
  },
  "namespace-user": (room) => {
    const { pid } = room.live(inUserNamespace);
    expectMatch("map", readText(`/proc/${pid()}/uid_map`), /^\s*0\s+1000\s+1000$/m);
  },
  "namespace-cgroup": (room) => {
    const paths = room.probe("cut -d: -f3 /proc/self/cgroup | sort -u");
    expectSame("groups", paths, "/");
  },
  "namespace-time": isNew("time"),
  "namespace-path-absolute": (room) => {
    const types = usualNamespaces.filter((type) => type !== "ipc");
    const list = [...namespaces(...types), { type: "ipc", path: "proc/self/ns/ipc" }];
    const { directory } = room.bundle({ linux: { namespaces: list } });
    // From here the path is good.
    const { status } = room.call(["create", "--bundle", directory, room.newName()], "/");
    expect(status > 0, "create succeeds");
  },
  "namespace-join": (room) => {
    const types = ["pid", "network", "ipc", "uts", "cgroup"];
    const owner = room.live(withNamespaces("mount", ...types)).pid();
    const joined = types.map((type) => ({
      type,
      path: `/proc/${owner}/ns/${fileOf[type] ?? type}`,
    }));
    const pid = room.live({ linux: { namespaces: [...namespaces("mount"), ...joined] } }).pid();
    for (const type of types) expectSame(type, namespaceOf(pid, type), namespaceOf(owner, type));
  },
  "namespace-join-type": (room) => {
    const path = `/proc/${room.live().pid()}/ns/uts`;
    const types = usualNamespaces.filter((type) => type !== "ipc");
    room.refuses({ linux: { namespaces: [...namespaces(...types), { type: "ipc", path }] } });
  },
  "namespace-new": (room) => {
    for (const type of [...usualNamespaces, "network"]) isNew(type)(room);
  },
  "namespace-inherit": (room) => {
    const pid = room.live(withNamespaces("pid", "mount")).pid();
    for (const type of ["network", "ipc", "uts", "user", "cgroup"]) {
      expectSame(type, namespaceOf(pid, type), namespaceOf("self", type));
    }
  },
  "namespace-twice": refuses({ namespaces: namespaces(...usualNamespaces, "ipc") }),
};

const mappingTests: Tests = {
  "mapping-uid": (room) => {
    const map = readText(`/proc/${room.live(inUserNamespace).pid()}/uid_map`);
    expectMatch("map", map, /^\s*0\s+1000\s+1000\n$/);
  },
  "mapping-gid": (room) => {
    const map = readText(`/proc/${room.live(inUserNamespace).pid()}/gid_map`);
    expectMatch("map", map, /^\s*0\s+2000\s+1000\n$/);
  },
};

function timeOffset(room: Room, clock: string): string {
  const timeOffsets = { [clock]: { secs: 4321, nanosecs: 5 } };
  const change = { linux: { namespaces: namespaces(...usualNamespaces, "time"), timeOffsets } };
  const offsets = readText(`/proc/${room.live(change).pid()}/timens_offsets`);
  return (
    new RegExp(`^${clock}\\s+(\\d+)\\s+(\\d+)`, "m").exec(offsets)?.slice(1).join(" ") ?? offsets
  );
}

const device = {
  path: "/dev/mine",
  type: "c",
  major: 1,
  minor: 3,
  fileMode: 0o640,
  uid: 7,
  gid: 8,
};
const describe = "stat -c '%F %t:%T %a %u:%g'";

/** How a container sees a device of its config. */
function seeDevice(room: Room, properties: object): string {
  const one = { ...device, ...properties };
  return room.probe(`${describe} ${one.path}`, { linux: { devices: [one] } });
}

/** A default device has these numbers. */
function hasDevice(name: string, numbers: string): Test {
  return (room) => {
    const seen = room.probe(`${describe} /dev/${name}`, { mounts: [proc, ownDev] });
    expectMatch(name, seen, new RegExp(`^character special file ${numbers} `));
  };
}

const withTerminal: Config = { mounts: [proc, ownDev, devPts] };

const deviceTests: Tests = {
  "device-there": (room) => {
    expectMatch("device", seeDevice(room, {}), /^character special file 1:3 /);
    expectMatch(
      "device",
      seeDevice(room, { type: "b", major: 7, minor: 9 }),
      /^block special file 7:9 /,
    );
  },
  "device-fifo": (room) => {
    const devices = [{ path: "/dev/pipe", type: "p" }];
    expectMatch("fifo", room.probe(`${describe} /dev/pipe`, { linux: { devices } }), /^fifo /);
  },
  "device-conflict": (room) => {
    const bundle = room.bundle({ linux: { devices: [device] } });
    writeFileSync(join(bundle.rootfs, "dev/mine"), "in the way");
    expect(room.tryCreate(bundle).status > 0, "create succeeds");
  },
  "device-outside": (room) => {
    expectMatch(
      "device",
      seeDevice(room, { path: "/mnt/deep/mine" }),
      /^character special file 1:3 /,
    );
  },
  "device-mode": (room) => expectMatch("device", seeDevice(room, {}), / 640 /),
  "device-owner": (room) => expectMatch("device", seeDevice(room, {}), / 7:8$/),
  "default-null": hasDevice("null", "1:3"),
  "default-zero": hasDevice("zero", "1:5"),
  "default-full": hasDevice("full", "1:7"),
  "default-random": hasDevice("random", "1:8"),
  "default-urandom": hasDevice("urandom", "1:9"),
  "default-tty": hasDevice("tty", "5:0"),
  "default-console": (room) => {
    const script = "stat -c %t:%T /dev/console; stat -L -c %t:%T /proc/self/fd/0";
    const [console, tty] = probeTerminal(room, script, withTerminal).trim().split("\n");
    expectSame("console", console, tty);
  },
  "default-ptmx": (room) => {
    const script = "stat -L -c %d:%i /dev/ptmx; stat -c %d:%i /dev/pts/ptmx";
    const [ptmx, own] = room.probe(script, withTerminal).split("\n");
    expectSame("ptmx", ptmx, own);
  },
  "net-device-check": (room) => {
    const linux = {
      namespaces: namespaces(...usualNamespaces, "network"),
      netDevices: { "no-such-dev": { name: "new" } },
    };
    room.refuses({ linux });
  },
};

/** The root is a shared mount of the host's. What a mount that the host makes below it is for the container: there or not. */
function hostMountArrives(room: Room, rootfsPropagation: string): boolean {
  const mounts = [proc, { destination: "/mnt", type: "tmpfs", source: "tmpfs" }];
  const process = { args: ["sleep", "1000"] };
  const bundle = room.bundle({ process, mounts, linux: { rootfsPropagation } });
  const mount = (...argv: readonly string[]): void => {
    needs(Bun.spawnSync(["mount", ...argv]).success, "the host does not let us mount");
  };
  mount("--bind", bundle.rootfs, bundle.rootfs);
  room.defer(() => Bun.spawnSync(["umount", "-l", bundle.rootfs]));
  mount("--make-shared", bundle.rootfs);
  const container = room.createFrom(bundle);
  container.start();
  mount("-t", "tmpfs", "conformance", join(bundle.rootfs, "m"));
  room.defer(() => Bun.spawnSync(["umount", "-l", join(bundle.rootfs, "m")]));
  const own = readText("/proc/self/mountinfo");
  expect(!own.includes(`${bundle.rootfs}/mnt `), "the container's mount is the host's");
  return mountAt(readText(`/proc/${container.pid()}/mountinfo`), "/m") !== undefined;
}

function rootPropagation(room: Room, rootfsPropagation: string): string {
  const pid = room.live({ linux: { rootfsPropagation } }).pid();
  return mountAt(readText(`/proc/${pid}/mountinfo`), "/")?.propagation ?? "no root";
}

const pathTests: Tests = {
  "propagation-shared": (room) => expectMatch("root", rootPropagation(room, "shared"), /shared:/),
  "propagation-slave": (room) => expect(hostMountArrives(room, "slave"), "nothing arrives"),
  "propagation-private": (room) => expect(!hostMountArrives(room, "private"), "it arrives"),
  "propagation-unbindable": (room) =>
    expectMatch("root", rootPropagation(room, "unbindable"), /unbindable/),
  "masked-file": (room) => {
    const change = { linux: { maskedPaths: ["/etc/passwd"] } };
    expectSame("file", room.probe("cat /etc/passwd | wc -c", change).trim(), "0");
  },
  "masked-directory": (room) => {
    expectSame("directory", room.probe("ls -A /etc", { linux: { maskedPaths: ["/etc"] } }), "");
  },
  "masked-absolute": refuses({ maskedPaths: ["etc"] }),
  "readonly-file": (room) => {
    const script = "echo x 2>/dev/null >>/etc/passwd && echo written; wc -l </etc/passwd";
    const change = { linux: { readonlyPaths: ["/etc/passwd"] } };
    expectSame("output", room.probe(script, change).trim(), "1");
  },
  "readonly-directory": (room) => {
    const script = "touch /etc/new 2>/dev/null && echo written; ls /etc";
    expectSame("output", room.probe(script, { linux: { readonlyPaths: ["/etc"] } }), "passwd");
  },
  "readonly-absolute": refuses({ readonlyPaths: ["etc"] }),
};

/** A file system can be had at a place. */
function hasFileSystem(destination: string, type: string): Test {
  return (room) => {
    const below = destination.startsWith("/dev/") ? [ownDev] : [];
    const own = destination === "/dev/pts" ? devPts : { destination, type, source: type };
    const mounts = destination === "/proc" ? [proc] : [proc, ...below, own];
    const seen = mountAt(room.probe("cat /proc/self/mountinfo", { mounts }), destination);
    expectSame("type", seen?.type, type);
  };
}

/** A link of /dev to what is in /proc. */
function links(name: string, target: string): Test {
  return (room) => {
    const seen = room.probe(`readlink /dev/${name}`, { mounts: [proc, ownDev] });
    expectSame(name, seen, target);
  };
}

export const linuxTests: Tests = {
  ...namespaceTests,
  ...mappingTests,
  ...deviceTests,
  ...pathTests,
  "default-proc": hasFileSystem("/proc", "proc"),
  "default-sys": hasFileSystem("/sys", "sysfs"),
  "default-pts": hasFileSystem("/dev/pts", "devpts"),
  "default-shm": hasFileSystem("/dev/shm", "tmpfs"),
  "time-monotonic": (room) => expectSame("offset", timeOffset(room, "monotonic"), "4321 5"),
  "time-boottime": (room) => expectSame("offset", timeOffset(room, "boottime"), "4321 5"),
  "rdt-none": (room) => {
    needs(!existsSync("/sys/fs/resctrl/schemata"), "resctrl is mounted");
    room.refuses({ linux: { intelRdt: { closID: "conformance", l3CacheSchema: "L3:0=f" } } });
  },
  sysctl: (room) => {
    const change = { linux: { sysctl: { "kernel.msgmax": "16384" } } };
    expectSame("msgmax", room.probe("cat /proc/sys/kernel/msgmax", change), "16384");
  },
  "mount-label": (room) => {
    needs(readText("/sys/fs/selinux/enforce") === "", "SELinux is on, and its policy unknown");
    const mountLabel = "system_u:object_r:container_file_t:s0";
    room.refuses({ mounts: [proc, ownDev], linux: { mountLabel } });
  },
  personality: (room) => {
    needs(process.arch === "x64", "the names of processors are those of x86");
    expectSame(
      "machine",
      room.probe("uname -m", { linux: { personality: { domain: "LINUX32" } } }),
      "i686",
    );
  },
  "memory-policy": (room) => {
    needs(existsSync("/proc/self/numa_maps"), "the kernel knows no NUMA");
    const pid = room.live({ linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "0" } } }).pid();
    expectMatch("policy", readText(`/proc/${pid}/numa_maps`), /bind:0/);
  },
  descriptors: (room) => {
    expectSame("descriptors", readdirSync(`/proc/${room.live().pid()}/fd`).sort(), ["0", "1", "2"]);
  },
  "dev-fd": links("fd", "/proc/self/fd"),
  "dev-stdin": links("stdin", "/proc/self/fd/0"),
  "dev-stdout": links("stdout", "/proc/self/fd/1"),
  "dev-stderr": links("stderr", "/proc/self/fd/2"),
};
