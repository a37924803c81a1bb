import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeRestoredRoot, openForCriu } from "../../src/inside/restored-root.ts";
import { checkProgram } from "../../src/program/check.ts";
import { batch } from "../../src/program/program.ts";
import type { Mount } from "../../src/spec/types.ts";
import { printSyscall } from "../../src/syscall/print.ts";

const test = suite("inside/restored-root");

const mounts: readonly Mount[] = [
  { destination: "/proc", type: "proc" },
  { destination: "/dev/", type: "tmpfs" },
  { destination: "/dev/shm", type: "tmpfs" },
  { destination: "/devices", type: "bind", source: "data" },
  { destination: "/data", source: "/srv/data", options: ["rbind", "ro"] },
  { destination: "/sys/fs/cgroup", type: "cgroup" },
];

function steps() {
  const root = { path: "/srv/root", device: "8:1", inode: 2n, parentMount: "/" };
  const place = "/run/ts-runc/box/criu-root";
  return makeRestoredRoot({ root, place, mounts, bundle: "/srv/box", relayFd: 101 });
}

function printed(): readonly string[] {
  return steps().map(({ call }) => printSyscall(call));
}

test("the steps are a program in which every slot is one thing, for any number of directories", () => {
  for (const directories of [
    [],
    [{ path: "/a", fd: 4 }],
    [4, 5].map((fd) => ({ path: "/a", fd })),
  ]) {
    const all = [...steps(), ...openForCriu(directories)];
    checkProgram({ parts: [batch("root to restore onto", all)] });
  }
});

test("nothing is mounted before the mount namespace is its own and mounts no longer spread", () => {
  const [first = "", second = ""] = printed();
  assert.match(first, /^unshare\(CLONE_NEWNS\)/);
  assert.match(second, /^mount_setattr\(AT_FDCWD, "\/", AT_RECURSIVE, .*MS_SLAVE/);
});

test("mount points are made for what is not in a tmpfs and no cgroup, and binds are mounted", () => {
  const opened = printed().flatMap((line) => /^openat2\(root, "([^"]+)"/.exec(line)?.[1] ?? []);
  assert.equal(opened, ["/proc", "/dev", "/devices", "/data"]);
  const cloned = printed().flatMap(
    (line) => /^open_tree\(AT_FDCWD, "([^"]+)"/.exec(line)?.[1] ?? [],
  );
  assert.equal(cloned, ["/srv/box/data", "/srv/data"]);
});

test("what was mounted meanwhile is taken off before the root is mounted for good", () => {
  const lines = printed();
  const off = lines.findIndex((line) => line.startsWith("umount2("));
  const binds = lines.slice(off).filter((line) => line.startsWith("move_mount("));
  assert.is(binds.length, 1);
  assert.match(binds[0] ?? "", "move_mount(cleanRoot,");
});

test.run();
