// The annotations of crun that are obeyed: the groups of who starts a container, and who gets its pidfd. Needs root.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, tsRunc } from "../cli/executable.ts";
import { listenAt, receiveDescriptor } from "../support/descriptor-socket.ts";
import { openRoom, type Room, runBriefly } from "../support/room.ts";

const test = suite("kernel/annotations");
const room = openRoom("annotations");
type Change = NonNullable<Parameters<Room["makeBundle"]>[0]>;

const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs" },
];
const map = [{ containerID: 0, hostID: 100_000, size: 1000 }];
const user = {
  namespaces: ["pid", "mount", "user"].map((type) => ({ type })),
  uidMappings: map,
  gidMappings: map,
};
const look = ["sh", "-c", "sed -n 's/^Groups:\\s*//p' /proc/self/status"];

/** Runs ts-runc as somebody with groups of their own. */
function withGroups(...argv: readonly string[]): ReturnType<typeof runBriefly> {
  return runBriefly(["setpriv", "--groups", "7777,100005", ...room.command(...argv)]);
}

/** The groups of a container's program and of a process of exec. */
function groupsOf(change: Change): readonly string[] {
  const process = { user: { uid: 0, gid: 0, additionalGids: [5] } };
  const base = { mounts, ...change };
  const own = room.makeBundle({ ...base, process: { ...process, args: look } });
  const first = withGroups("run", "-b", own.directory, room.newId());
  assert.is(first.status, 0, first.stderr);
  const stays = room.makeBundle({ ...base, process: { ...process, args: ["sleep", "1000"] } });
  const id = room.newId();
  assert.is(withGroups("run", "-d", "-b", stays.directory, id).status, 0);
  const second = withGroups("exec", id, ...look);
  assert.is(second.status, 0, second.stderr);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  return [first.stdout.trim(), second.stdout.trim()];
}

const keep = { annotations: { "run.oci.keep_original_groups": "1" } };

test("groups are the config's, and the caller's with run.oci.keep_original_groups", () => {
  assert.equal(groupsOf({}), ["5", "5"]);
  assert.equal(groupsOf(keep), ["7777 100005", "7777 100005"]);
});

test("kept groups show in a user namespace as far as they are mapped", () => {
  assert.equal(groupsOf({ linux: user }), ["5", "5"]);
  assert.equal(groupsOf({ ...keep, linux: user }), ["65534 5", "65534 5"]);
});

test("run.oci.pidfd_receiver gets the pidfd of init, unless the command line names another", () => {
  const paths = ["annotated.sock", "named.sock"].map((name) => join(room.directory, name));
  const [annotated = "", named = ""] = paths;
  const { directory } = room.makeBundle({
    process: { args: ["sleep", "1000"] },
    annotations: { "run.oci.pidfd_receiver": annotated },
  });
  for (const [path, more] of [
    [annotated, []],
    [named, ["--pidfd-socket", named]],
  ] as const) {
    using listener = listenAt(path);
    const id = room.newId();
    const { status, stderr } = room.tsRunc(["create", ...more, "-b", directory, id]);
    assert.is(status, 0, stderr);
    const { descriptor, text } = receiveDescriptor(listener);
    assert.is(text, "standard");
    const info = readFileSync(`/proc/self/fdinfo/${descriptor.fd}`, "utf8");
    assert.is(Number(/^Pid:\s+(\d+)$/m.exec(info)?.[1]), room.state(id)?.pid);
    descriptor[Symbol.dispose]();
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  }
});

test("a receiver that is not there is an error with its path, and nothing is made", () => {
  const path = join(room.directory, "absent.sock");
  const { directory } = room.makeBundle({ annotations: { "run.oci.pidfd_receiver": path } });
  const id = room.newId();
  const { status, stderr } = room.tsRunc(["create", "-b", directory, id]);
  assert.is(status, 1);
  assert.match(logMessages(stderr).join(), `connecting to the pidfd socket ${path}: connect`);
  assert.is(room.state(id), undefined);
});

test("features names the annotations that no stranger should choose", () => {
  const listed = JSON.parse(tsRunc(["features"]).stdout).potentiallyUnsafeConfigAnnotations;
  for (const name of Object.keys(keep.annotations)) assert.ok(listed.includes(name));
  assert.ok(listed.includes("run.oci.pidfd_receiver"));
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
