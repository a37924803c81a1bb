import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cgroupOwner } from "../../src/plan/cgroup-owner.ts";
import type { Mount, Spec } from "../../src/spec/types.ts";

const test = suite("plan/cgroup-owner");

function specWith(options: readonly string[], linux: Spec["linux"] = {}): Spec {
  const mount: Mount = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options };
  return {
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    mounts: [mount],
    process: { args: ["true"], cwd: "/", user: { uid: 7, gid: 7 } },
    linux: { namespaces: [{ type: "cgroup" }], ...linux },
  };
}

test("the process's user owns the group that it can see and write to, and no other", () => {
  assert.is(cgroupOwner(specWith([])), 7);
  assert.is(cgroupOwner(specWith(["ro", "rw"])), 7);
  assert.is(cgroupOwner(specWith(["rw", "ro"])), undefined);
  assert.is(cgroupOwner(specWith(["rro"])), undefined);
  assert.is(cgroupOwner({ ...specWith([]), mounts: [] }), undefined);
  assert.is(cgroupOwner(specWith([], { namespaces: [] })), undefined);
  const joined = [{ type: "cgroup", path: "/proc/1/ns/cgroup" }] as const;
  assert.is(cgroupOwner(specWith([], { namespaces: joined })), undefined);
});

test("with a user namespace it is the user's id on the host", () => {
  const namespaces = [{ type: "cgroup" }, { type: "user" }] as const;
  const ranges = [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 5, hostID: 100_000, size: 3 },
  ];
  assert.is(cgroupOwner(specWith([], { namespaces, uidMappings: ranges })), 100_002);
  const [first] = ranges;
  assert.is(
    cgroupOwner(specWith([], { namespaces, uidMappings: first ? [first] : [] })),
    undefined,
  );
  assert.is(cgroupOwner(specWith([], { namespaces })), undefined);
});

test.run();
