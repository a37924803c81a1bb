// The options of exec, from the arguments to what the container room is asked for.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../../src/base/assert.ts";
import { wordFaultError } from "../../src/base/word-fault.ts";
import { readExecOptions } from "../../src/cli/exec-options.ts";
import { parseCommandLine } from "../../src/cli/parse.ts";
import type { ExecOptions } from "../../src/foreground/exec.ts";
import type { ProcessChanges } from "../../src/spec/exec-process.ts";
import { catchFault } from "../spec/catch-fault.ts";

const test = suite("cli/exec-options");
const silent = { error: () => {}, warning: () => {}, debug: () => {} };

function read(...argv: readonly string[]): ExecOptions {
  const line = parseCommandLine(["exec", ...argv], "runc");
  if (line.kind !== "command") throw new Error(`${argv.join(" ")} is ${line.kind}`);
  const globals = {
    root: "/r",
    rootGiven: true,
    cgroupManager: "cgroupfs",
    rootless: "auto",
  } as const;
  return readExecOptions({ ...line, globals, log: silent });
}

function changes(...argv: readonly string[]): ProcessChanges {
  const { process } = read(...argv);
  if (process.kind !== "changes") throw new Error("a process file is read");
  return process.changes;
}

function refusal(...argv: readonly string[]): string {
  return wordFaultError(
    present(
      catchFault(() => read(...argv)),
      "a refusal",
    ),
  );
}

test("readExecOptions() takes all behind the id for the program, options of its own included", () => {
  assert.equal(changes("a", "sh", "-c", "--tty").args, ["sh", "-c", "--tty"]);
  assert.equal(changes("-t", "a", "sh").terminal, true);
  assert.equal(changes("a", "--", "sh").args, ["--", "sh"]);
});

test("readExecOptions() keeps every value of a repeated option, commas included", () => {
  const given = changes(
    ...["-e", "A=1,2", "-e", "B=3", "-g", "1", "-g=2", "--cap", "CAP_KILL", "--cap=CAP_CHOWN"],
    ...["a", "id"],
  );
  assert.equal(given.env, ["A=1,2", "B=3"]);
  assert.equal(given.additionalGids, [1, 2]);
  assert.equal(given.capabilities, ["CAP_KILL", "CAP_CHOWN"]);
});

test("readExecOptions() takes UID and UID:GID in digits, and nothing else (CVE-2026-30892)", () => {
  assert.equal(changes("-u", "1", "a", "id").user, { uid: 1, gid: undefined });
  assert.equal(changes("-u", "1:2", "a", "id").user, { uid: 1, gid: 2 });
  assert.equal(changes("-u", "4294967294:0", "a", "id").user, { uid: 4294967294, gid: 0 });
  for (const user of ["", "1:", ":2", "1abc", "root", "1:2:3", "-1", "+1", " 1", "1 ", "0x1"]) {
    assert.match(refusal("-u", user, "a", "id"), /^invalid --user "/, `--user ${user}`);
  }
  for (const user of ["4294967295", "1:4294967295", "99999999999999999999"]) {
    assert.match(refusal("-u", user, "a", "id"), /is not an id/, `--user ${user}`);
  }
  assert.match(refusal("-g", "-1", "a", "id"), /-1 is not an id/);
});

test("readExecOptions() tells --no-new-privs=false from no word about it", () => {
  assert.is(changes("a", "id").noNewPrivileges, undefined);
  assert.is(changes("--no-new-privs", "a", "id").noNewPrivileges, true);
  assert.is(changes("--no-new-privs=false", "a", "id").noNewPrivileges, false);
});

test("readExecOptions() takes a process file in place of a program, and is in need of one of them", () => {
  assert.equal(read("-p", "/p.json", "a").process, { kind: "file", path: "/p.json" });
  assert.equal(read("-p", "/x/../p.json", "-e", "A=1", "a", "id").process, {
    kind: "file",
    path: "/p.json",
  });
  assert.is(refusal("a"), "exec args cannot be empty");
  assert.is(refusal("--process=", "a"), "exec args cannot be empty");
});

test("readExecOptions() refuses ids, descriptors and groups that cannot be meant", () => {
  assert.is(refusal("", "id"), "container id cannot be empty");
  assert.match(refusal("../a", "id"), /invalid container ID format/);
  assert.match(refusal("--preserve-fds", "-1", "a", "id"), /--preserve-fds -1 is out of range/);
  assert.match(refusal("--cgroup", "cpu:a", "--cgroup", "b", "a", "id"), /missing <controller>/);
});

test.run();
