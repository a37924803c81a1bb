import { suite } from "uvu";
import * as assert from "uvu/assert";
import { joinPath, parseCgroup1Host, parseCgroup2Host } from "../../src/plan/cgroup-host.ts";

const test = suite("plan/cgroup-host");

const before = `22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
`;
const after = "50 27 0:40 / /data\\040disk rw - ext4 /dev/vda rw,cgroup\n";

test("parseCgroup1Host() finds single, co-mounted and named hierarchies and the v2 tree", () => {
  const mountinfo = `${before}32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:1 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
35 31 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
${after}`;
  const selfCgroup = "3:name=systemd:/init.scope\n2:pids:/a/b\n1:cpu,cpuacct:/\n0::/c\n";
  assert.equal(parseCgroup1Host(mountinfo, selfCgroup), {
    version: "v1",
    hierarchies: [
      {
        controllers: ["cpu", "cpuacct"],
        mountPoint: "/sys/fs/cgroup/cpu,cpuacct",
        ownPath: "/sys/fs/cgroup/cpu,cpuacct",
      },
      {
        controllers: ["pids"],
        mountPoint: "/sys/fs/cgroup/pids",
        ownPath: "/sys/fs/cgroup/pids/a/b",
      },
      {
        controllers: ["name=systemd"],
        mountPoint: "/sys/fs/cgroup/systemd",
        ownPath: "/sys/fs/cgroup/systemd/init.scope",
      },
      {
        controllers: [""],
        mountPoint: "/sys/fs/cgroup/unified",
        ownPath: "/sys/fs/cgroup/unified/c",
      },
    ],
  });
});

test("parseCgroup1Host() takes our path relative to the part of the tree that is mounted", () => {
  const mountinfo =
    "33 31 0:30 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n" +
    "34 31 0:31 /other /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n" +
    "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory";
  const selfCgroup = "2:pids:/docker/abc/inner\n1:cpu:/docker/abc\n3:memory:/docker/abc\n";
  const host = parseCgroup1Host(mountinfo, selfCgroup);
  assert.equal(host.version === "v1" && host.hierarchies.map(({ ownPath }) => ownPath), [
    "/sys/fs/cgroup/pids/inner",
    "/sys/fs/cgroup/cpu",
    "/sys/fs/cgroup/memory",
  ]);
});

test("parseCgroup1Host() prefers the conventional mount point, and decodes others", () => {
  const mountinfo =
    "33 31 0:30 / /odd\\040place rw - cgroup cgroup rw,pids\n" +
    "34 31 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
    "37 31 0:30 / /var/rootfs/sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
    "35 31 0:31 / /odd\\040cpu rw - cgroup cgroup rw,cpu\n" +
    "38 31 0:31 / /later/cpu rw - cgroup cgroup rw,cpu\n" +
    "36 31 0:32 / /mnt/v2 rw - cgroup2 cgroup2 rw\n";
  const host = parseCgroup1Host(mountinfo, "2:pids:/\n1:cpu:/\n0::/\n");
  assert.equal(host.version === "v1" && host.hierarchies.map(({ mountPoint }) => mountPoint), [
    "/sys/fs/cgroup/pids",
    "/odd cpu",
  ]);
});

test("parseCgroup1Host() reads a table of ten thousand mounts in a few milliseconds", () => {
  const line =
    "100 27 0:99 / /var/lib/containers/overlay/merged rw - overlay overlay rw,lowerdir=/a:/b\n";
  const mountinfo = `${line.repeat(10_000)}33 31 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n`;
  const started = performance.now();
  const host = parseCgroup1Host(mountinfo, "2:pids:/\n");
  assert.ok(performance.now() - started < 50);
  assert.is(host.version === "v1" && host.hierarchies.length, 1);
});

test("parseCgroup2Host() finds our path and the controllers", () => {
  assert.equal(parseCgroup2Host("0::/user.slice/shell.scope\n", "cpuset cpu io memory pids\n"), {
    version: "v2",
    hierarchy: {
      controllers: [""],
      mountPoint: "/sys/fs/cgroup",
      ownPath: "/sys/fs/cgroup/user.slice/shell.scope",
    },
    controllers: ["cpuset", "cpu", "io", "memory", "pids"],
  });
  const bare = parseCgroup2Host("0::/\n", "");
  assert.equal(bare.version === "v2" && bare.controllers, []);
});

test("joinPath() never leaves its directory", () => {
  const rows = [
    ["a/b", "/top/a/b"],
    ["/a//b/", "/top/a/b"],
    ["../../a", "/top/a"],
    ["a/../../../b/./c", "/top/b/c"],
    ["..", "/top"],
    ["", "/top"],
  ] as const;
  for (const [inner, joined] of rows) assert.is(joinPath("/top", inner), joined, inner);
});

test.run();
