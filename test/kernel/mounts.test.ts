// Mounts that need another way than most, what is said of odd configs, and what an old kernel is told. Needs root.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { SyscallName } from "../../src/abi/syscall-numbers.ts";
import { openRoom, runBriefly } from "../support/room.ts";
import { withoutCalls } from "../vm/old-kernel.ts";

const test = suite("kernel/mounts");
const room = openRoom("mounts");
const proc = { destination: "/proc", type: "proc", source: "proc" };

function namespaces(...types: readonly string[]): { readonly type: string }[] {
  return types.map((type) => ({ type }));
}

test("an overlay with more layers than fsconfig takes is mounted all the same", () => {
  const layers = Array.from({ length: 12 }, (_, index) => {
    const layer = join(room.directory, `layer-with-a-name-that-is-long-enough-${index}`);
    mkdirSync(layer);
    writeFileSync(join(layer, `file${index}`), `${index}`);
    return layer;
  });
  const lower = `lowerdir=${layers.join(":")}`;
  assert.ok(lower.length > 255);
  const bundle = room.makeBundle({
    mounts: [
      proc,
      {
        destination: "/tmp/merged",
        type: "overlay",
        source: "overlay",
        options: [lower, "nosuid", "nodev", "private"],
      },
    ],
    process: {
      args: [
        "sh",
        "-c",
        "cat /tmp/merged/file0 /tmp/merged/file11; grep merged /proc/self/mountinfo",
      ],
    },
    linux: { namespaces: namespaces("pid", "mount") },
  });
  const { status, stdout, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /^011/);
  assert.match(stdout, / \/tmp\/merged rw,nosuid,nodev,relatime - overlay /);
});

test("a shared root takes nothing off a host whose mounts are shared", () => {
  const places = join(room.directory, "shared-host");
  const bundle = room.makeBundle({
    mounts: [
      proc,
      { destination: "/mnt", type: "bind", source: "/etc", options: ["bind", "shared"] },
    ],
    process: { args: ["cat", "/proc/self/mountinfo"] },
    linux: { namespaces: namespaces("pid", "mount"), rootfsPropagation: "shared" },
  });
  const run = room.command("run", "-b", bundle.directory, room.newId()).join(" ");
  // The stand-in for a host: its mounts are shared with those that the container's namespace begins with.
  const script = `mount --make-rshared / && mkdir ${places} && mount -t tmpfs ours ${places} && ${run} && grep -c ' ${places} ' /proc/self/mountinfo`;
  const { status, stdout, stderr } = runBriefly(["unshare", "--mount", "sh", "-c", script]);
  assert.is(status, 0, stderr);
  assert.match(stdout, / \/ rw,relatime shared:\d+ /);
  assert.match(stdout, / \/mnt rw,relatime shared:\d+ /);
  assert.match(stdout, /^1$/m);
});

test("a flag of the superblock that the file system does not know is passed over, as by mount(2)", () => {
  const bundle = room.makeBundle({
    mounts: [
      proc,
      { destination: "/tmp", type: "tmpfs", options: ["iversion", "mand", "size=4k"] },
    ],
    process: { args: ["true"] },
    linux: { namespaces: namespaces("pid", "mount") },
  });
  const { status, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  assert.is(stderr, "");
  assert.is(status, 0);
});

test("a capability that nobody knows is warned of in the log, and the container runs", () => {
  const bundle = room.makeBundle({
    process: { args: ["true"], capabilities: { bounding: ["CAP_TEAPOT", "CAP_KILL"] } },
    linux: { namespaces: namespaces("pid", "mount") },
  });
  const log = join(room.directory, "log.json");
  const options = ["--log", log, "--log-format", "json"];
  const { status, stderr } = room.tsRunc([...options, "run", "-b", bundle.directory, room.newId()]);
  assert.is(status, 0);
  assert.is(stderr, "");
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  const levels = lines.map((line) => JSON.parse(line).level);
  assert.equal(levels, ["warning"]);
  assert.match(lines[0] ?? "", /ignoring unknown capability .*CAP_TEAPOT/);
});

const needed: readonly SyscallName[] = ["mount_setattr", "openat2", "open_tree", "move_mount"];
for (const name of needed) {
  test(`a kernel without ${name} is told apart, and nothing is left`, async () => {
    const bundle = room.makeBundle({
      process: { args: ["true"] },
      linux: { namespaces: namespaces("pid", "mount") },
    });
    const command = room.command("run", "-b", bundle.directory, room.newId());
    const { status, stderr } = runBriefly(withoutCalls([name], command));
    assert.is(status, 1);
    assert.match(
      stderr,
      new RegExp(`the kernel has no ${name}; ts-runc needs Linux 5.14 or later`),
    );
  });
}

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
