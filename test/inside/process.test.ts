// What surrounds the program: where it is looked for, and what happens on the way to it.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { closeAtExecve, executeProgram, programCandidates } from "../../src/inside/process.ts";
import { printSyscall } from "../../src/syscall/print.ts";

const test = suite("inside/process");

function paths(program: string, ...env: readonly string[]): readonly string[] {
  return programCandidates(program, env).map(({ path }) => path);
}

test("programCandidates() takes a name with a slash as it is", () => {
  assert.equal(paths("/bin/sh", "PATH=/usr/bin"), ["/bin/sh"]);
  assert.equal(paths("./sh", "PATH=/usr/bin"), ["./sh"]);
});

test("programCandidates() looks below each directory of the last PATH", () => {
  assert.equal(paths("sh", "PATH=/x", "A=1", "PATH=/usr/bin:/bin"), ["/usr/bin/sh", "/bin/sh"]);
  assert.equal(paths("sh", "PATH=:/bin:"), ["./sh", "/bin/sh", "./sh"]);
  assert.equal(paths("sh", "XPATH=/bin"), []);
});

test("programCandidates() gives each place slots of its own", () => {
  const candidates = programCandidates("sh", ["PATH=/a:/b:/a"]);
  const slots = candidates.flatMap(({ accessSlot, statSlot }) => [accessSlot, statSlot]);
  assert.is(new Set(slots).size, 6);
});

test("closeAtExecve() marks what is private for closing, executeProgram() does nothing but that", () => {
  const program = { path: "/bin/sh", args: ["sh"], env: ["A=1"] };
  const calls = [...closeAtExecve("/bin/sh", 5), ...executeProgram(program)].map(({ call }) =>
    printSyscall(call),
  );
  assert.equal(calls, [
    "close_range(5, 4294967295, CLOSE_RANGE_CLOEXEC)",
    'execve("/bin/sh", ["sh"], ["A=1"])',
  ]);
});

test.run();
