// Processes started by posix_spawn: exactly the promised signals, descriptors, arguments and environment.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AT_FDCWD, memfdFlags, openFlags } from "../../src/abi/file.ts";
import { signals, waitOptions, waitTypes } from "../../src/abi/process.ts";
import { readField, siginfo } from "../../src/abi/struct.ts";
import { FaultError } from "../../src/base/fault.ts";
import { executeForOutput, must } from "../../src/ffi/execute.ts";
import { type SpawnRequest, spawn } from "../../src/ffi/spawn.ts";
import { readText } from "../../src/host/files.ts";
import { close, dup3, memfdCreate, openat } from "../../src/syscall/files.ts";
import { rtSigaction, waitid } from "../../src/syscall/processes.ts";

const test = suite("ffi/spawn");
const doing = "testing";

/** Runs a program whose output goes to a file in memory, and returns that with the exit status. */
function run(
  path: string,
  request: Partial<SpawnRequest> & { readonly argv: readonly string[] },
): { readonly status: number; readonly output: string } {
  const memory = must(memfdCreate("output", memfdFlags.MFD_CLOEXEC), doing);
  const nothing = must(openat(AT_FDCWD, "/dev/null", { flags: openFlags.O_CLOEXEC }), doing);
  const standard = [
    { from: nothing, to: 0 },
    { from: memory, to: 1 },
    { from: memory, to: 2 },
  ];
  const { descriptors = [], ...rest } = request;
  const pid = spawn({ path, env: [], doing, ...rest, descriptors: [...standard, ...descriptors] });
  const ended = executeForOutput(waitid(waitTypes.P_PID, pid, waitOptions.WEXITED));
  assert.is(ended.result, 0);
  assert.is(readField(siginfo, ended.output, "si_pid"), pid);
  const output = readText(`/proc/self/fd/${memory}`, doing);
  must(close(memory), doing);
  must(close(nothing), doing);
  return { status: readField(siginfo, ended.output, "si_status"), output };
}

/** What /proc/self/status of the child says under the name. */
function statusField(output: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(output)?.[1] ?? "missing";
}

test("spawn() gives default signal dispositions and an empty mask, whatever ours are", () => {
  // Bun ignores SIGPIPE; here is one more.
  must(rtSigaction(signals.SIGUSR2, { handler: 1 }), doing);
  const ours = readText("/proc/self/status", doing);
  assert.is.not(statusField(ours, "SigIgn"), "0000000000000000");
  const { output } = run("/bin/cat", { argv: ["cat", "/proc/self/status"] });
  must(rtSigaction(signals.SIGUSR2, { handler: 0 }), doing);
  for (const name of ["SigBlk", "SigIgn", "SigCgt", "SigPnd"]) {
    assert.is(statusField(output, name), "0000000000000000", name);
  }
});

test("spawn() passes arguments and environment exactly, empty ones and all of UTF-8 too", () => {
  const argv = ["name", "", "é→🙂", "a b\n"];
  const { output } = run("/bin/sh", {
    argv: ["sh", "-c", 'for word; do printf "[%s]" "$word"; done', ...argv],
  });
  assert.is(output, "[][é→🙂][a b\n]");
  const env = ["A=1", "B=é", "A=2"];
  const seen = run("/bin/cat", { argv: ["cat", "/proc/self/environ"], env });
  assert.is(seen.output, env.map((item) => `${item}\0`).join(""));
  assert.is(run("/bin/cat", { argv: ["cat", "/proc/self/environ"] }).output, "");
});

test("spawn() gives the descriptors under their numbers, without close-on-exec, and no others", () => {
  const file = must(openat(AT_FDCWD, "/proc/self/status", { flags: openFlags.O_CLOEXEC }), doing);
  // One that already has the number that it is to have.
  must(dup3(file, 150, openFlags.O_CLOEXEC), doing);
  const descriptors = [
    { from: file, to: 120 },
    { from: 150, to: 150 },
  ];
  const { output } = run("/bin/ls", { argv: ["ls", "/proc/self/fd"], descriptors });
  must(close(file), doing);
  must(close(150), doing);
  const numbers = output.trim().split("\n").map(Number);
  const inherited = ["0", "1", "2", "120", "150"].map(Number);
  assert.equal(
    inherited.filter((fd) => !numbers.includes(fd)),
    [],
  );
  // `ls` itself has the directory open; Bun leaves 3 as it found it.
  const others = numbers.filter((fd) => !inherited.includes(fd) && fd > 4);
  assert.equal(others, []);
});

test("spawn() returns the pid of a child whose status we can wait for", () => {
  assert.is(run("/bin/sh", { argv: ["sh", "-c", "exit 42"] }).status, 42);
});

test("spawn() throws a fault with the path and the errno when the program cannot run", () => {
  const faultOf = (path: string): unknown => {
    try {
      spawn({ path, argv: ["x"], env: [], descriptors: [], doing: "starting it" });
    } catch (error) {
      if (error instanceof FaultError) return error.fault;
      throw error;
    }
    return undefined;
  };
  const fault = { kind: "syscall", doing: "starting it", call: "posix_spawn", where: "runtime" };
  assert.equal(faultOf("/missing"), { ...fault, target: '"/missing"', errno: "ENOENT" });
  assert.equal(faultOf("/etc"), { ...fault, target: '"/etc"', errno: "EACCES" });
});

test("spawn() works while the garbage collector does", () => {
  const litter: unknown[] = [];
  for (let round = 0; round < 40; round++) {
    for (let item = 0; item < 200; item++) litter.push(`${round}-${item}`.repeat(50));
    if (round % 10 === 0) Bun.gc(true);
    const argv = [
      "printf",
      "%s ",
      ...Array.from({ length: 300 }, (_, index) => `${round}-${index}`),
    ];
    assert.is(run("/usr/bin/printf", { argv }).output, `${argv.slice(2).join(" ")} `);
  }
});

test.run();
