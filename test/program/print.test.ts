// The text of programs, form by form; whole programs are in test/golden.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { prctlOptions } from "../../src/abi/process.ts";
import { printProgram, printSteps } from "../../src/program/print.ts";
import { batch, host } from "../../src/program/program.ts";
import { ignore, ignoreAny, type Step, step, type Verification } from "../../src/program/step.ts";
import { close, getcwd, mkdirat, openat, statx } from "../../src/syscall/files.ts";
import { clone, exitGroup, getppid, prctl, setsid } from "../../src/syscall/processes.ts";
import { slot } from "../../src/syscall/value.ts";

const test = suite("program/print");

const open = openat(-100, "/dev", { flags: 0 });

/** The printed lines, without the indent that a batch gives them all. */
function lines(...steps: readonly Step[]): readonly string[] {
  return printSteps(steps)
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(2));
}

test("printSteps() prints what is being done once, and the calls below it", () => {
  assert.equal(lines(step("opening", open, { slot: "dev" }), step("opening", setsid())), [
    "opening",
    '  dev = openat(AT_FDCWD, "/dev", 0, 00)',
    "  setsid()",
  ]);
});

test("printSteps() prints failures that do not count behind the call", () => {
  const [, one] = lines(step("asking", setsid(), { recovery: ignore("EPERM", "ENOENT") }));
  assert.is(one, "  setsid()  # EPERM or ENOENT: go on");
  const [, every] = lines(step("asking", setsid(), { recovery: ignoreAny }));
  assert.is(every, "  setsid()  # any error: go on");
});

test("printSteps() prints a recovery below the call, with where it goes", () => {
  const make = [step("opening", mkdirat(slot("root"), "dev", 0o755))];
  const recovery = { errnos: ["ENOENT"], steps: make, next: "retry" } as const;
  assert.equal(lines(step("opening", open, { recovery })), [
    "opening",
    '  openat(AT_FDCWD, "/dev", 0, 00)',
    "    on ENOENT:",
    '      mkdirat(root, "dev", 0755)',
    "      again",
  ]);
});

test("printSteps() tells what follows a success from what the parent of a clone does", () => {
  const onSuccess = [step("asking", setsid())];
  assert.ok(lines(step("asking", open, { onSuccess })).includes("    if that worked:"));
  const fork = clone({ flags: 0x8000, exitSignal: 0 });
  const leave = [step("asking", exitGroup(0))];
  const forking = step("asking", fork, { onZero: "skip", onSuccess: leave });
  assert.ok(lines(forking).includes("    if positive:"));
});

test("printSteps() prints every demand", () => {
  const demand = (call: Step["call"], verify: Verification): string =>
    lines(step("looking", call, { verify }))[1]?.split("  # ")[1] ?? "";
  const look = statx(5, "", 0x1000);
  assert.is(
    demand(look, { kind: "device", type: "character", major: 1, minor: 3 }),
    "must be the character device 1:3",
  );
  const same: Verification = { kind: "same-file", device: "8:1", inode: 5n };
  // Not the numbers: they differ from run to run.
  assert.is(demand(look, same), "must be the file that the runtime saw");
  assert.is(
    demand(look, { kind: "file-system", magic: 0x9fa0 }),
    "must be on the file system 0x9fa0",
  );
  assert.is(
    demand(look, { kind: "other-file-system", magic: 0x9fa0, words: "" }),
    "must be on another file system than 0x9fa0",
  );
  assert.is(demand(look, { kind: "inode", inode: 1n, words: "" }), "must be the inode 1");
  assert.is(demand(getcwd(9), { kind: "path-inside" }), "must be inside the root");
  assert.is(demand(getppid(), { kind: "result", value: 7 }), "must be 7");
});

test("printSteps() joins calls in a row that count up", () => {
  const drops = [3, 4, 5, 7].map((number) =>
    step("dropping", prctl(prctlOptions.PR_CAPBSET_DROP, number)),
  );
  assert.equal(lines(...drops), [
    "dropping",
    "  prctl(PR_CAPBSET_DROP, 3..5)",
    "  prctl(PR_CAPBSET_DROP, 7)",
  ]);
});

test("printSteps() does not join calls that differ in something else, a large inode included", () => {
  const verify = (inode: bigint): Verification => ({ kind: "same-file", device: "8:1", inode });
  const looks = [
    step("looking", statx(5, "", 0x1000), { verify: verify(2n ** 60n) }),
    step("looking", statx(6, "", 0x1000), { verify: verify(2n ** 60n + 1n) }),
  ];
  assert.is(lines(...looks).length, 3);
  const closes = [step("closing", close(5)), step("closing", close(6), { recovery: ignoreAny })];
  assert.is(lines(...closes).length, 3);
});

test("printProgram() prints the runtime's part where it stands, and beside which batch", () => {
  const first = batch("first", [step("asking", setsid())], { meanwhile: ["apply-limits"] });
  assert.is(
    printProgram({ parts: [first, host("set-rlimits")] }),
    [
      "init: first, while the runtime does: apply-limits",
      "",
      "  asking",
      "    setsid()",
      "",
      "the runtime: set-rlimits",
      "",
    ].join("\n"),
  );
});

test.run();
