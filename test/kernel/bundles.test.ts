// Runs every sample bundle with the built executable and measures what its README claims, on whatever cgroup version the
// host has. Needs root.

import { cpSync, existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Outcome } from "../cli/executable.ts";
import { openRoom, ownCgroups, runBriefly, slowness } from "../support/room.ts";

const test = suite("kernel/bundles");
const room = openRoom("bundles");
const bundles = join(room.directory, "bundles");
const tested = new Set<string>();

/** Copies of the bundles, since rootfs and what else `prepare` makes are not for the tree. */
cpSync(join(import.meta.dir, "../../bundles"), bundles, {
  recursive: true,
  filter: (path) => !/\/(rootfs|lower|upper|work|data)$/.test(path),
});

function prepare(bundle: string, ...argv: readonly string[]): void {
  tested.add(bundle);
  const { status, stderr } = runBriefly([join(bundles, bundle, "prepare"), ...argv]);
  assert.is(status, 0, stderr);
}

function runBundle(bundle: string, id = room.newId()): Outcome {
  return room.tsRunc(["run", "--bundle", join(bundles, bundle), id]);
}

/** The text below a heading of hello's output. */
function section(output: string, heading: string): string {
  const start = output.indexOf(`\n${heading}:\n`);
  assert.is.not(start, -1, `no "${heading}" in ${output}`);
  const body = output.slice(start + heading.length + 3);
  return body.slice(0, body.includes("\n\n") ? body.indexOf("\n\n") + 1 : undefined);
}

test("hello sees process 1, its hostname, its mounts, its limits and its capabilities", () => {
  prepare("hello");
  const { status, stdout, stderr } = runBundle("hello");
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /^Hello, I am process 1 of the host "hello"\.\n/);
  assert.is(section(stdout, "All processes that I see"), "  1    sh /hello.sh \n");
  assert.is(section(stdout, "My network devices"), "  lo\n");
  const mounts = section(stdout, "My mounts");
  assert.match(mounts, /^ {2}\/ +\S+ +ro\n {2}\/proc +proc +rw\n {2}\/dev +tmpfs +rw\n/);
  assert.match(mounts, /^ {2}\/hello\.sh +\S+ +ro$/m);
  assert.match(mounts, /^ {2}\/proc\/sys +proc +ro$/m);
  const limits = section(stdout, "My limits");
  assert.match(limits, /open files +512 of at most 1024\n/);
  assert.match(limits, /memory +67108864\n/);
  assert.match(limits, /processes +32\n/);
  assert.match(limits, /cpu quota +50000( 100000)?\n/);
  assert.is(section(stdout, "My capabilities"), "  kill\n  net_bind_service\n");
});

test("cpu-quota holds a loop at 20 % of a processor", () => {
  prepare("cpu-quota");
  const { status, stdout } = runBundle("cpu-quota");
  assert.is(status, 0);
  // The second line is the user and system time of the loop, which has run for two seconds.
  const times = [...(stdout.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)];
  const seconds = times.reduce(
    (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
    0,
  );
  const share = seconds / 2;
  // The two seconds are longer on an emulated processor.
  const most = slowness === 1 ? 0.26 : 0.4;
  assert.ok(share > 0.05 && share < most, `${share} of a processor`);
  // A machine that is busy gives less than the quota, never more; on a quiet one it is met.
  if (slowness === 1 && share < 0.16) console.log(`cpu-quota: the host was busy, ${share}`);
});

test("memory-limit has the kernel kill its program, and count it", () => {
  prepare("memory-limit");
  const id = room.newId();
  const bundle = join(bundles, "memory-limit");
  const { status } = room.tsRunc(["run", "--keep", "--bundle", bundle, id]);
  assert.is(status, 137);
  assert.is(JSON.parse(room.tsRunc(["state", id]).stdout).status, "stopped");
  const counts = ownCgroups()
    .flatMap((path) => ["memory.oom_control", "memory.events"].map((file) => join(path, id, file)))
    .filter((path) => existsSync(path))
    .map((path) => /^oom_kill (\d+)$/m.exec(readFileSync(path, "utf8"))?.[1]);
  assert.equal(counts, ["1"]);
  assert.is(room.tsRunc(["delete", id]).status, 0);
});

test("volume shares a directory with the host, in both directions, and nothing else", () => {
  prepare("volume");
  const { status, stdout, stderr } = runBundle("volume");
  assert.is(stdout, "written on the host\nwritten in the container\n");
  assert.is(stderr, "touch: /nowhere: Read-only file system\n");
  assert.is(status, 1);
  const note = join(bundles, "volume/data/note");
  assert.is(readFileSync(note, "utf8"), "written in the container\n");
  assert.not.ok(existsSync(join(bundles, "volume/rootfs/nowhere")));
});

test("hooks run at their points, where they belong, and are told of the container", () => {
  prepare("hooks");
  const id = room.newId();
  const { status, stderr } = runBundle("hooks", id);
  assert.is(stderr, "");
  assert.is(status, 0);
  const diary = readFileSync(join(bundles, "hooks/data/diary"), "utf8").trimEnd().split("\n");
  // The program and what follows its start write when they get there.
  const [runtime = "", container = "", start = "", ...rest] = diary;
  const [stop = "", ...others] = rest.toReversed();
  const bundle = join(bundles, "hooks");
  assert.match(runtime, `createRuntime on ${hostname()} in ${bundle}: `);
  assert.match(runtime, `"id":"${id}","status":"creating","pid":`);
  assert.match(container, `createContainer in ${bundle}/rootfs: `);
  assert.match(container, `"status":"creating","pid":1,`);
  assert.match(start, `startContainer on hooks in /: `);
  assert.match(start, `"status":"created","pid":1,`);
  assert.equal(others.map((line) => line.split(":")[0]).sort(), [
    "poststart",
    "the program itself",
  ]);
  assert.match(stop, /^poststop: .*"status":"stopped","bundle"/);
});

test("tmpfs holds files that the host does not see, up to its size", () => {
  prepare("tmpfs");
  const { status, stdout, stderr } = runBundle("tmpfs");
  assert.is(status, 0);
  assert.match(stderr, /No space left on device/);
  const total = Number(/^ *(\d+) total$/m.exec(stdout)?.[1]);
  assert.ok(total > 1_900_000 && total <= 2_097_152, `${total} bytes`);
  assert.equal(readdirSync(join(bundles, "tmpfs/rootfs/tmp")), []);
});

test("shared-network lets two containers meet on 127.0.0.1", () => {
  prepare("shared-network");
  const server = room.newId();
  try {
    const bundle = join(bundles, "shared-network");
    assert.is(room.tsRunc(["run", "-d", "--bundle", bundle, server]).status, 0);
    const client = runBundle("shared-network/client");
    assert.is(client.stdout.split("\n").at(-2), "the server answers", client.stderr);
    assert.is(client.status, 0);
    // The host's own 127.0.0.1 is another one.
    assert.is.not(runBriefly(["busybox", "nc", "-w", "1", "127.0.0.1", "8080"]).status, 0);
  } finally {
    room.tsRunc(["delete", "--force", server]);
    prepare("shared-network", "undo");
  }
});

test("user-namespace makes root of a user that is nobody on the host", () => {
  prepare("user-namespace");
  const { status, stdout, stderr } = runBundle("user-namespace");
  assert.is(status, 0, stderr);
  const [uid, map, file] = stdout.split("\n");
  assert.is(uid, "0");
  assert.match(map ?? "", /^ +0 +100000 +65536$/);
  assert.match(file ?? "", / 0 +0 .* \/made-by-root$/);
  const made = statSync(join(bundles, "user-namespace/rootfs/made-by-root"));
  assert.equal([made.uid, made.gid], [100000, 100000]);
});

test("idmapped-volume keeps the owners of files whose users the container does not have", () => {
  prepare("idmapped-volume");
  const { status, stdout, stderr } = runBundle("idmapped-volume");
  assert.match(stderr, /^touch: from-container: Permission denied\n$/);
  assert.is(status, 1);
  const owners = stdout.match(/ \d+ +\d+ (?= *\d+ \w+ +\d+ )/g)?.map((text) => text.trim());
  assert.equal(
    owners?.map((text) => text.split(/ +/).map(Number)),
    [...[0, 0, 1000].map((id) => [id, id]), ...[65534, 65534, 65534].map((id) => [id, id])],
    stdout,
  );
  const made = statSync(join(bundles, "idmapped-volume/data/from-container"));
  assert.equal([made.uid, made.gid], [0, 0]);
});

test("cgroup-namespace shows every cgroup as the root", () => {
  prepare("cgroup-namespace");
  const { status, stdout } = runBundle("cgroup-namespace");
  assert.is(status, 0);
  const paths = stdout
    .trim()
    .split("\n")
    .map((line) => line.split(":")[2]);
  assert.ok(paths.length > 0);
  assert.equal([...new Set(paths)], ["/"]);
});

test("overlay keeps the image as it was, and every change in the upper layer", () => {
  prepare("overlay");
  const at = (path: string): string => join(bundles, "overlay", path);
  try {
    const { status, stdout } = runBundle("overlay");
    assert.is(status, 0);
    assert.is(stdout, "changed\nnew\nunchanged\n");
    for (const name of ["changed", "deleted", "unchanged"]) {
      assert.is(readFileSync(at(`lower/image/${name}`), "utf8"), "from the image\n");
    }
    assert.equal(readdirSync(at("upper/image")).sort(), ["changed", "deleted", "new"]);
    assert.is(readFileSync(at("upper/image/changed"), "utf8"), "changed\n");
    const whiteout = lstatSync(at("upper/image/deleted"));
    assert.ok(whiteout.isCharacterDevice());
    assert.is(whiteout.rdev, 0);
  } finally {
    prepare("overlay", "undo");
  }
});

test("lxcfs shows files of ours below /proc", () => {
  prepare("lxcfs");
  const { status, stdout, stderr } = runBundle("lxcfs");
  assert.is(status, 0, stderr);
  assert.is(stdout, "1\nMemTotal:        1048576 kB\n90061.00 90061.00\n");
});

test("every bundle has been run, and says what it shows", () => {
  const folders = readdirSync(bundles).filter((name) =>
    existsSync(join(bundles, name, "config.json")),
  );
  assert.equal([...tested].sort(), folders.sort());
  for (const name of folders) assert.ok(existsSync(join(bundles, name, "README.md")), name);
});

test("nothing of the bundles is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test("program prints what would be done for a bundle, and does nothing", async () => {
  const { status, stdout, stderr } = room.tsRunc(["program", "-b", join(bundles, "hello")]);
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /^init: namespaces/);
  assert.match(
    stdout,
    /pivoting to the rootfs\n {4}rootfs\.old = openat[^\n]*\n {4}fchdir\(root\)\n {4}pivot_root\("\.", "\."\)/,
  );
  assert.match(stdout, /^init: parking$/m);
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
