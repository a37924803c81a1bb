// The suite of conformance/spec against ts-runc; and a small part of it against Debian's runc.

import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { differences } from "../../conformance/differences.ts";
import { type Result, runSuite } from "../../conformance/spec/run-suite.ts";
import { cgroupTests } from "../../conformance/spec/tests-cgroups.ts";
import { executable, runc, runProgram } from "../cli/executable.ts";
import { ownCgroups } from "../support/room.ts";
import { root } from "../support/source-tree.ts";

const test = suite("kernel/conformance");
// The emulated machine of test/vm takes minutes for all of them; what it has that the host may lack is cgroup v2.
const inMachine = process.env["TS_RUNC_MACHINE"] !== undefined;
const only = inMachine ? Object.keys(cgroupTests) : undefined;

/** What has failed although nothing is listed, and what is listed although it passes. */
function unexpected(results: readonly Result[], listed: object): readonly string[] {
  return results.flatMap(({ id, verdict, reason }) => {
    if (verdict === "fail" && !(id in listed)) return [`${id}: ${reason}`];
    return verdict === "pass" && id in listed ? [`${id} passes and is listed`] : [];
  });
}

test("ts-runc does what the specification demands", () => {
  const results = runSuite(executable, only === undefined ? {} : { only });
  if (inMachine)
    console.log("skip: demands that are not about cgroups: they are tested on the host");
  for (const { id, verdict, reason } of results) {
    if (verdict === "skip") console.log(`skip: ${id}: ${reason}`);
  }
  assert.equal(unexpected(results, differences["ts-runc"]), []);
});

test("runc is judged as the table says", () => {
  if (runc === undefined) return console.log("skip: there is no runc");
  const some = ["state-created", "kill-sends", "rlimit-hard", "rlimit-twice", "life-poststart"];
  assert.equal(unexpected(runSuite(runc, { only: some }), differences.runc), []);
});

test("conformance/run prints TAP and says by its status whether a test has failed", () => {
  const run = (...argv: readonly string[]) => runProgram([join(root, "conformance/run"), ...argv]);
  const good = run(executable, "start-running");
  assert.is(good.status, 0, good.stderr);
  assert.match(
    good.stdout,
    /^TAP version 14\n1\.\.2\nok 1 - runtime\.md, Start: MUST: .*\nok 2 - /,
  );
  // A program that succeeds whatever it is told.
  const bad = run("/bin/true", "query-");
  assert.is(bad.status, 1);
  assert.match(
    bad.stdout,
    /^not ok 1 - .* \[query-no-id\]\n {2}---\n {2}message: \|\n {4}state succeeds\n {2}\.\.\.$/m,
  );
  assert.is(run(executable, "no such test").status, 1);
  assert.is(run().status, 2);
});

test("the suite leaves no cgroup and no mount", () => {
  const find = [
    "find",
    ...ownCgroups(),
    "/sys/fs/cgroup",
    "-maxdepth",
    "3",
    "-name",
    `conformance-${process.pid}-*`,
  ];
  assert.is(runProgram(find).stdout, "");
  const mounts = runProgram(["cat", "/proc/self/mountinfo"]).stdout.split("\n");
  assert.equal(
    mounts.filter(
      (line) => line.includes(`/conformance-`) && line.includes(process.env["TMPDIR"] ?? "?"),
    ),
    [],
  );
});

test.run();
