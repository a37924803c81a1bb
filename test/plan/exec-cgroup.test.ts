// Where exec's process goes among the container's cgroups: the values of --cgroup, and what they may not do.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../../src/base/assert.ts";
import { wordFaultError } from "../../src/base/word-fault.ts";
import { execCgroupPlaces, parseSubCgroups } from "../../src/plan/exec-cgroup.ts";
import { catchFault } from "../spec/catch-fault.ts";

const test = suite("plan/exec-cgroup");

const v1 = { cpu: "/sys/fs/cgroup/cpu/a", cpuacct: "/sys/fs/cgroup/cpu/a", pids: "/c/pids/a" };
const hybrid = { ...v1, "": "/sys/fs/cgroup/unified/a" };
const v2 = { "": "/sys/fs/cgroup/a" };

function places(paths: Readonly<Record<string, string>>, ...given: readonly string[]) {
  return execCgroupPlaces(paths, parseSubCgroups(given));
}

function refusal(paths: Readonly<Record<string, string>>, ...given: readonly string[]): string {
  return wordFaultError(
    present(
      catchFault(() => places(paths, ...given)),
      "a refusal",
    ),
  );
}

test("execCgroupPlaces() gives each of the container's directories once without --cgroup", () => {
  assert.equal(places(v1), { v1: ["/sys/fs/cgroup/cpu/a", "/c/pids/a"], v2: undefined });
  assert.equal(places(hybrid).v2, "/sys/fs/cgroup/unified/a");
  assert.equal(places(v2), { v1: [], v2: "/sys/fs/cgroup/a" });
});

test("execCgroupPlaces() goes below every group for a path without a controller", () => {
  for (const path of ["sub", "/sub", "./x/../sub/"]) {
    assert.equal(places(hybrid, path), {
      v1: ["/sys/fs/cgroup/cpu/a/sub", "/c/pids/a/sub"],
      v2: "/sys/fs/cgroup/unified/a/sub",
    });
  }
  assert.equal(places(v2, "/"), places(v2));
});

test("execCgroupPlaces() goes below the groups of the controllers that are named", () => {
  assert.equal(places(v1, "cpu,cpuacct:x", "pids:/"), {
    v1: ["/sys/fs/cgroup/cpu/a/x", "/c/pids/a"],
    v2: undefined,
  });
  // A colon behind the first belongs to the path, as with later versions of runc.
  assert.equal(places(v1, "pids:x:y").v1, ["/sys/fs/cgroup/cpu/a", "/c/pids/a/x:y"]);
});

test("execCgroupPlaces() refuses to leave the container's group, also for a sibling that begins alike", () => {
  assert.is(refusal(v2, ".."), ".. is not a sub cgroup path");
  assert.is(refusal(v1, "cpu:/../ab"), "/../ab is not a sub cgroup path");
  assert.is(refusal(v1, "pids:x/../../y"), "x/../../y is not a sub cgroup path");
});

test("execCgroupPlaces() refuses a controller that the container has no group of", () => {
  assert.is(refusal(v1, "memory:x"), "unknown controller memory in SubCgroupPaths");
  assert.is(refusal(v2, "memory:x"), "unknown controller memory in SubCgroupPaths");
});

test("parseSubCgroups() refuses what names no controller, or one twice", () => {
  assert.is(
    refusal(v1, "cpu:a", "b"),
    "invalid --cgroup argument: b (missing <controller>: prefix)",
  );
  assert.is(refusal(v1, "cpu,:a"), "invalid --cgroup argument: cpu,:a (empty <controller> prefix)");
  assert.is(
    refusal(v1, "cpu,cpu:a"),
    "invalid --cgroup argument(s): controller cpu specified multiple times",
  );
});

test.run();
