// linux.devices: every type, with number, mode and owner, beside runc; in a user namespace the host's nodes; what is looked at
// by descriptor. And the sections of other platforms, which are looked at and have no effect. Needs root.

import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, runc } from "../cli/executable.ts";
import { openRoom, type Room, type RuntimeName, runBriefly } from "../support/room.ts";

const test = suite("kernel/devices");
const room = openRoom("devices");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;
type Change = NonNullable<Parameters<Room["makeBundle"]>[0]>;

const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["mode=755"] },
];

function run(
  change: Change,
  runtime: RuntimeName = "ts-runc",
): { readonly status: number; readonly output: string } {
  const { directory, rootfs } = room.makeBundle({ mounts, ...change });
  writeFileSync(join(rootfs, "dev/plain"), "");
  const argv = ["run", "-b", directory, room.newId()];
  const { status, stdout, stderr } = room.runtime(runtime, argv);
  return { status, output: status === 0 ? stdout.trim() : logMessages(stderr).join("\n") };
}

/** Type and mode, owner, number of each. */
function lookAt(...paths: readonly string[]): { readonly args: readonly string[] } {
  return { args: ["stat", "-c", "%n %f %u:%g %t:%T", ...paths] };
}

const devices = [
  { type: "c", path: "/dev/char", major: 10, minor: 229, fileMode: 0o640, uid: 1, gid: 2 },
  { type: "b", path: "/dev/block", major: 7, minor: 300, fileMode: 0o600 },
  { type: "u", path: "/dev/unbuffered", major: 300, minor: 5 },
  { type: "p", path: "/dev/fifo", fileMode: 0o622, uid: 3 },
  { type: "c", path: "/deep/below/dev", major: 1, minor: 5 },
];
const seen = [
  "/dev/char 21a0 1:2 a:e5",
  "/dev/block 6180 0:0 7:12c",
  "/dev/unbuffered 21b6 0:0 12c:5",
  "/dev/fifo 1192 3:0 0:0",
  "/deep/below/dev 21b6 0:0 1:5",
];

test("what is at a device's place and is another thing is refused, and stays as it is", () => {
  for (const device of [
    { type: "c", path: "/place", major: 10, minor: 229 },
    { type: "b", path: "/place", major: 7, minor: 300 },
    { type: "p", path: "/place" },
  ]) {
    for (const make of [
      (path: string) => mkdirSync(path, { mode: 0o700 }),
      (path: string) => writeFileSync(path, "", { mode: 0o600 }),
      (path: string) =>
        assert.is(runBriefly(["mknod", "-m", "600", path, "c", "1", "3"]).status, 0),
    ]) {
      const { directory, rootfs } = room.makeBundle({
        mounts,
        linux: { devices: [{ ...device, fileMode: 0o666, uid: 5 }] },
      });
      const path = join(rootfs, "place");
      make(path);
      const before = statSync(path);
      const { status, stderr } = room.tsRunc(["create", "-b", directory, room.newId()]);
      assert.is(status, 1);
      assert.match(
        stderr,
        /making the device \/place: \/place is not (the (character|block) device|a fifo)/,
      );
      const after = statSync(path);
      assert.equal(
        [after.mode, after.uid, after.ctimeMs],
        [before.mode, before.uid, before.ctimeMs],
      );
    }
  }
});

test("a device that is there already gets mode and owner", () => {
  const devices = [
    { type: "c", path: "/place", major: 1, minor: 7, fileMode: 0o640, uid: 5, gid: 6 },
  ];
  const { directory, rootfs } = room.makeBundle({
    mounts,
    process: lookAt("/place"),
    linux: { devices },
  });
  const place = join(rootfs, "place");
  assert.is(runBriefly(["mknod", "-m", "600", place, "c", "1", "7"]).status, 0);
  const { stdout, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
  // Without fchmodat2, which came with Linux 6.6, the mode stays.
  assert.match(stdout, /^\/place 21(a0|80) 5:6 1:7\n$/, stderr);
});

test("slashes that mean nothing in a device's path are passed over", () => {
  const odd = [
    { type: "c", path: "//dev//odd/", major: 1, minor: 5 },
    { type: "c", path: "/dev//null", major: 1, minor: 3, fileMode: 0o600 },
  ];
  const { output } = run({ process: lookAt("/dev/odd", "/dev/null"), linux: { devices: odd } });
  assert.equal(output.split("\n"), ["/dev/odd 21b6 0:0 1:5", "/dev/null 2180 0:0 1:3"]);
});

beside("devices of every type have number, mode and owner, as with runc", () => {
  const change = { process: lookAt(...devices.map(({ path }) => path)), linux: { devices } };
  const ours = run(change);
  assert.is(ours.status, 0, ours.output);
  assert.equal(ours.output.split("\n"), seen);
  assert.equal(ours, run(change, "runc"));
});

test("a device that is there by default can be given otherwise", () => {
  const own = { type: "c", path: "/dev/zero", major: 1, minor: 5, fileMode: 0o600, gid: 7 };
  const { output } = run({ process: lookAt("/dev/zero"), linux: { devices: [own] } });
  assert.is(output, "/dev/zero 2180 0:7 1:5");
});

test("in a user namespace a device is the host's node, bound", () => {
  const map = [{ containerID: 0, hostID: 100_000, size: 1000 }];
  const namespaces = ["pid", "mount", "user"].map((type) => ({ type }));
  const linux = { namespaces, uidMappings: map, gidMappings: map };
  const full = { type: "c", path: "/dev/full", major: 1, minor: 7, uid: 0, fileMode: 0o600 };
  const look =
    "echo 2>/dev/null >/dev/full || stat -c '%n %f %t:%T' /dev/full; grep -c ' /dev/full ' /proc/self/mountinfo";
  const { output } = run({
    process: { args: ["sh", "-c", look] },
    linux: { ...linux, devices: [full] },
  });
  // Mode and owner are the host's node's.
  assert.is(output, "/dev/full 21b6 1:7\n1");
  // What is not there cannot be bound.
  const absent = { type: "c", path: "/dev/ts-runc-absent", major: 1, minor: 7 };
  const missing = run({ linux: { ...linux, devices: [absent] } });
  assert.is(missing.status, 1);
  assert.match(
    missing.output,
    /binding the device \/dev\/ts-runc-absent: .*no such file or directory/,
  );
});

test("a device whose place is taken by another file is refused", () => {
  const taken = [{ type: "c", path: "/dev/plain", major: 1, minor: 5 }];
  const { status, output } = run({ linux: { devices: taken }, mounts: mounts.slice(0, 1) });
  assert.is(status, 1);
  assert.match(output, /\/dev\/plain/);
});

test("devices that cannot be meant are refused with property, value and rule", () => {
  for (const [device, message] of [
    [{ type: "x", path: "/dev/a" }, /\/linux\/devices\/0\/type/],
    [
      { type: "c", path: "dev/a", major: 1, minor: 1 },
      /\/linux\/devices\/0: has a bad path: must be an absolute path, got "dev\/a"/,
    ],
    [
      { type: "b", path: "/dev/a", major: 1 },
      /\/linux\/devices\/0: of type b must have major and minor/,
    ],
    [
      { type: "c", path: "/dev/a", major: 4096, minor: 0 },
      /\/linux\/devices\/0: has the impossible device number 4096:0/,
    ],
  ] as const) {
    const { status, output } = run({ linux: { devices: [device] } });
    assert.is(status, 1);
    assert.match(output, message);
  }
});

const elsewhere = {
  windows: { layerFolders: ["C:\\layer"], ignoreFlushesDuringBoot: true },
  solaris: { milestone: "svc:/milestone/container:default", cappedCPU: { ncpus: "8" } },
  vm: { kernel: { path: "/kernel" } },
  zos: { namespaces: [{ type: "pid" }] },
  freebsd: { jail: { allow: { mount: ["tmpfs"] } } },
};

test("sections of other platforms have no effect, and runc takes them, too", () => {
  const change = { ...elsewhere, process: { args: ["true"] } };
  assert.equal(run(change), { status: 0, output: "" });
  if (runc !== undefined) assert.equal(run(change, "runc"), { status: 0, output: "" });
});

test("sections of other platforms are looked at all the same", () => {
  for (const [section, pointer] of [
    [{ windows: { layerFolders: "C:\\layer" } }, "/windows/layerFolders"],
    [{ solaris: { milestone: 5 } }, "/solaris/milestone"],
    [{ vm: { kernel: {} } }, "/vm/kernel"],
    [{ zos: { namespaces: [{}] } }, "/zos/namespaces/0"],
    [{ freebsd: { jail: { parent: 5 } } }, "/freebsd/jail/parent"],
  ] as const) {
    const { status, output } = run(section);
    assert.is(status, 1);
    assert.ok(output.includes(pointer), output);
  }
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
