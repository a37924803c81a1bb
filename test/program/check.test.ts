// Each thing that an init program must not be, and the nearest thing that it may be.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkProgram } from "../../src/program/check.ts";
import { batch, host, initPidSlot, type Part, parkingBatch } from "../../src/program/program.ts";
import { ignore, type Step, step } from "../../src/program/step.ts";
import { close, fstatfs, getcwd, mkdirat, openat, statx } from "../../src/syscall/files.ts";
import { clone, getpid, setsid } from "../../src/syscall/processes.ts";
import { call, fdOperand, number, outputOperand, slot } from "../../src/syscall/value.ts";

const test = suite("program/check");

const open = openat(-100, "/", { flags: 0 });
const use = (of: string): Step => step(`using ${of}`, close(slot(of)));
const fork = clone({ flags: 0x8000, exitSignal: 0 });

function check(...parts: readonly Part[]): void {
  checkProgram({ parts });
}

function accepts(steps: readonly Step[]): void {
  check(batch("first", steps));
}

function refuses(steps: readonly Step[], message: RegExp): void {
  assert.throws(
    () => check(batch("first", steps)),
    (error: unknown) => error instanceof Error && message.test(error.message),
  );
}

test("checkProgram() accepts a slot behind the step that defines it, and in later batches", () => {
  accepts([step("opening", open, { slot: "a" }), use("a"), use("a")]);
  check(batch("first", [step("opening", open, { slot: "a" })]), batch("second", [use("a")]));
});

test("checkProgram() refuses a slot that nothing defines, or only later", () => {
  refuses([use("a")], /"using a" uses a, which nothing defines/);
  refuses([use("a"), step("opening", open, { slot: "a" })], /which nothing defines/);
});

test("checkProgram() refuses a slot of a step whose failure may be passed over", () => {
  const passedOver = step("opening", open, { slot: "a", recovery: ignore("ENOENT") });
  refuses([passedOver, use("a")], /nothing defines/);
  accepts([{ ...passedOver, onSuccess: [use("a")] }]);
  refuses([{ ...passedOver, onSuccess: [use("a")] }, use("a")], /nothing defines/);
});

test("checkProgram() accepts a slot behind a step that is tried until it succeeds", () => {
  const making = [step("making", mkdirat(-100, "a", 0o755))];
  const retried = { errnos: ["ENOENT"], steps: making, next: "retry" } as const;
  accepts([step("opening", open, { slot: "a", recovery: retried }), use("a")]);
  const tooEarly = { ...retried, steps: [use("a")] };
  refuses([step("opening", open, { slot: "a", recovery: tooEarly })], /nothing defines/);
});

test("checkProgram() refuses what a recovery defines behind it, since it may not have run", () => {
  const steps = [step("opening", open, { slot: "b" }), use("b")];
  const recovery = { errnos: ["ENOENT"], steps, next: "skip" } as const;
  accepts([step("opening", open, { recovery })]);
  refuses([step("opening", open, { recovery }), use("b")], /nothing defines/);
});

test("checkProgram() refuses a name for two results, wherever they are", () => {
  const opening = step("opening", open, { slot: "a" });
  refuses([opening, opening], /a names two results/);
  refuses([{ ...opening, onSuccess: [opening] }], /two results/);
  const recovery = { errnos: ["ENOENT"], steps: [opening], next: "retry" } as const;
  refuses([{ ...opening, recovery }], /two results/);
  // An interrupted batch that goes on would take the result of the earlier one.
  const apart = (): void => check(batch("first", [opening]), batch("second", [opening]));
  assert.throws(apart, /two results/);
});

test("checkProgram() refuses the output of a step of an earlier batch", () => {
  const stat = step("looking", statx(-100, "/"), { slot: "stat" });
  const output = fdOperand(slot("stat", 28));
  const using = step("using the mode", call("fchmod", number(3), output));
  accepts([stat, using]);
  const apart = (): void => check(batch("first", [stat]), batch("second", [using]));
  assert.throws(apart, /the output of stat, which is of an earlier batch/);
});

test("checkProgram() refuses two outputs, and more operands than registers", () => {
  const output = outputOperand(8);
  refuses([step("two", call("getresuid", output, output))], /"two" has two outputs/);
  const seven = Array.from({ length: 7 }, () => number(0));
  refuses([step("seven", call("mmap", ...seven))], /"seven" has too many operands/);
});

test("checkProgram() refuses to verify an output that a call does not have", () => {
  const verify = { kind: "path-inside" } as const;
  refuses([step("asking", getpid(), { verify })], /verifies an output that it does not have/);
  accepts([step("asking", getcwd(100), { slot: "cwd", verify })]);
  accepts([step("asking", fstatfs(3), { verify: { kind: "file-system", magic: 1 } })]);
  accepts([step("asking", getpid(), { verify: { kind: "result", value: 1 } })]);
});

test("checkProgram() refuses to try again on errors that the stub cannot tell apart", () => {
  const again = (errnos: "any" | readonly ("EINTR" | "EAGAIN")[]): Step[] => [
    step("asking", getpid(), { recovery: { errnos, steps: [], next: "retry" } }),
  ];
  accepts(again(["EINTR"]));
  refuses(again(["EINTR", "EAGAIN"]), /tries again on more than one error/);
  refuses(again("any"), /tries again on more than one error/);
});

test("checkProgram() refuses a recovery from no error, which the stub would take for any", () => {
  refuses([step("asking", getpid(), { recovery: ignore() })], /recovers from no error/);
});

test("checkProgram() refuses to skip on 0 but for a clone", () => {
  refuses([step("asking", setsid(), { onZero: "skip" })], /skips its onSuccess on 0/);
  accepts([step("forking", fork, { onZero: "skip" })]);
});

test("checkProgram() refuses that the child uses what only its parent has defined", () => {
  const onSuccess = [step("opening", open, { slot: "a" }), use("a")];
  accepts([step("forking", fork, { onZero: "skip", onSuccess })]);
  refuses([step("forking", fork, { onZero: "skip", onSuccess }), use("a")], /nothing defines/);
});

test("checkProgram() refuses a fork of init that the runtime would not notice", () => {
  const forking = step("forking", fork, { slot: initPidSlot, onZero: "skip" });
  accepts([forking]);
  refuses([step("asking", getpid(), { onSuccess: [forking] })], /the fork of init is missing/);
  refuses([step("forking", fork, { slot: initPidSlot })], /init runs its parent's steps/);
});

test("checkProgram() refuses a batch without steps, and anything behind the one that parks", () => {
  refuses([], /the batch "first" has no steps/);
  const parking = batch(parkingBatch, [step("asking", getpid())]);
  check(host("apply-limits"), parking);
  const behind = [host("apply-limits"), batch("more", [step("asking", getpid())])];
  for (const part of behind) {
    assert.throws(() => check(parking, part), /something follows the batch that parks/);
  }
});

test.run();
