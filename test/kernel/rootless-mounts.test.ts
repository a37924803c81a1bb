// Binds of an ordinary user's containers: what the host has locked stays locked, beside Debian's runc. Needs root, which it puts
// off.

import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Outcome, runc } from "../cli/executable.ts";
import { openUser, type Program } from "../support/ordinary-user.ts";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/rootless-mounts");
const room = openRoom("rootless-mounts");
const { expectNothingLeft, running, runtime } = openUser(room);
if (runc === undefined) console.log("skip: runc is not installed, nothing is compared with it");

test.after(() => room.remove());
test.after.each(expectNothingLeft);

const source = join(room.directory, "source");
mkdirSync(source);
chmodSync(source, 0o777);

/** The flags that a bind of a mount with `flags` has in a container with these options. */
function bindWith(program: Program, flags: string, options: readonly string[]): Outcome {
  const show = "grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f6";
  const directory = running(["sh", "-c", show], (spec) => ({
    ...spec,
    mounts: [
      ...(spec.mounts ?? []),
      { destination: "/mnt", type: "bind", source, options: [...options] },
    ],
  }));
  const before = `mount -t tmpfs -o mode=777 source ${source} && mount -o bind,remount,${flags} ${source}`;
  return runtime(program, ["run", "-b", directory, room.newId()], { before });
}

test("a bind keeps the flags of the host, as with runc, and gets those that are asked for", () => {
  for (const [flags, options, shown] of [
    ["nosuid,nodev,noexec", ["bind"], "rw,nosuid,nodev,noexec,relatime"],
    ["nosuid,nodev,noexec", ["rbind", "rw"], "rw,nosuid,nodev,noexec,relatime"],
    ["nosuid,nodev,noexec", ["rbind", "rro"], "ro,nosuid,nodev,noexec,relatime"],
    ["ro", ["bind", "noexec"], "ro,noexec,relatime"],
    ["noatime", ["bind", "ro"], "ro,noatime"],
  ] as const) {
    const ours = bindWith("ts-runc", flags, options);
    assert.is(ours.stdout, `${shown}\n`, `${flags} ${options}: ${ours.stderr}`);
    if (runc !== undefined) assert.is(bindWith("runc", flags, options).stdout, ours.stdout);
  }
});

test("flags are added to those that are locked, for which runc 1.1.5 has no right", () => {
  for (const [flags, options, shown] of [
    ["nosuid,nodev,noexec", ["bind", "ro"], "ro,nosuid,nodev,noexec,relatime"],
    ["relatime,nosuid", ["bind", "noexec"], "rw,nosuid,noexec,relatime"],
  ] as const) {
    const ours = bindWith("ts-runc", flags, options);
    assert.is(ours.stdout, `${shown}\n`, ours.stderr);
    if (runc !== undefined) assert.is(bindWith("runc", flags, options).status, 1);
  }
});

test("a flag of the host is not cleared, and whoever names it is told so", () => {
  for (const [flags, options] of [
    ["nosuid,nodev,noexec", ["bind", "exec"]],
    ["nosuid,nodev,noexec", ["bind", "suid", "dev"]],
    ["ro", ["bind", "rw"]],
    ["noatime", ["bind", "atime"]],
  ] as const) {
    const { status, stderr } = bindWith("ts-runc", flags, options);
    assert.is(status, 1, `${flags} ${options}`);
    assert.match(stderr, "mount_setattr: operation not permitted");
  }
});

test.run();
