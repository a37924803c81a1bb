import { suite } from "uvu";
import * as assert from "uvu/assert";
import { during, FaultError, raise } from "../../src/base/fault.ts";
import { wordFault, wordFaultError } from "../../src/base/word-fault.ts";

const test = suite("base/word-fault");

test("wordFault() names what was done, the call, the target and the errno in words", () => {
  const message = wordFault({
    kind: "syscall",
    doing: 'mounting "proc" to rootfs at "/proc"',
    call: "move_mount",
    target: '"/proc"',
    errno: "EBUSY",
    where: "init",
  });
  assert.is(
    message,
    'mounting "proc" to rootfs at "/proc": move_mount "/proc": device or resource busy',
  );
});

test("wordFault() has runc's words for a program that cannot be executed, and a mount point that is a link", () => {
  const fault = { kind: "syscall", doing: 'starting "/run.sh"', where: "init" } as const;
  assert.is(
    wordFault({ ...fault, call: "execve", target: '"/run.sh"', errno: "ENOENT" }),
    "exec /run.sh: no such file or directory",
  );
  const doing = 'error mounting "proc" to rootfs at "/proc"';
  assert.is(
    wordFault({ ...fault, doing, call: "openat2", target: '"/proc"', errno: "ELOOP" }),
    `${doing}: it must be mounted on ordinary directory: openat2 "/proc": too many levels of symbolic links`,
  );
});

test("wordFault() words a missing program as engines match it", () => {
  const message = wordFault({
    kind: "program",
    program: "nope",
    reason: "executable file not found in $PATH",
  });
  assert.is(message, 'exec: "nope": executable file not found in $PATH');
});

test("wordFault() lists every violation with pointer and section", () => {
  const message = wordFault({
    kind: "invalid",
    document: "config.json",
    violations: [
      { pointer: "", message: "must have required property 'root'" },
      { pointer: "/process/cwd", message: "must be absolute", section: "config.md#process" },
    ],
  });
  assert.is(
    message,
    "config.json is not valid: /: must have required property 'root'; " +
      "/process/cwd: must be absolute (config.md#process)",
  );
});

test("during() puts its phrase in front of the fault, outermost first", () => {
  try {
    during("outer", () => during("inner", () => raise({ kind: "refused", message: "no" })));
    throw new Error("nothing was thrown");
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    assert.is(wordFaultError(error), "outer: inner: no");
  }
});

test("during() leaves errors that are not faults alone", () => {
  const bug = new Error("bug");
  assert.throws(
    () =>
      during("outer", () => {
        throw bug;
      }),
    (error: unknown) => error === bug,
  );
});

test.run();
