// Calls through libc: errnos that survive the garbage collector, operands of every size, faults that say what happened.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errnos } from "../../src/abi/errno.ts";
import { AT_FDCWD, memfdFlags } from "../../src/abi/file.ts";
import { type Fault, FaultError } from "../../src/base/fault.ts";
import { execute, executeForOutput, must, mustForOutput } from "../../src/ffi/execute.ts";
import {
  close,
  getcwd,
  memfdCreate,
  openat,
  read,
  readlinkat,
  statx,
  write,
} from "../../src/syscall/files.ts";
import { execve, getpid, kill } from "../../src/syscall/processes.ts";
import { answerOperand, call, number, slot } from "../../src/syscall/value.ts";

const test = suite("ffi/execute");

const missing = openat(AT_FDCWD, "/missing", { flags: 0 });

function faultOf(action: () => unknown): Fault {
  try {
    action();
  } catch (error) {
    if (error instanceof FaultError) return error.fault;
    throw error;
  }
  throw new Error("no fault");
}

/** A file in memory with the call's `lseek` for going back to its start. */
function withMemory(action: (fd: number) => void): void {
  const fd = must(memfdCreate("execute", memfdFlags.MFD_CLOEXEC), "testing");
  try {
    action(fd);
  } finally {
    execute(close(fd));
  }
}

function rewind(fd: number): void {
  assert.is(execute(call("lseek", number(fd), number(0), number(0))), 0);
}

test("execute() returns the result, and a negative errno on failure", () => {
  assert.is(execute(getpid()), process.pid);
  assert.is(execute(missing), -errnos.ENOENT);
  assert.is(execute(close(-1)), -errnos.EBADF);
  assert.is(execute(kill(process.pid, 0)), 0);
});

test("execute() returns results beyond 32 bits", () => {
  withMemory((fd) => {
    const far = 2 ** 40 + 3;
    assert.is(execute(call("lseek", number(fd), number(far), number(0))), far);
    assert.is(execute(call("lseek", number(fd), number(BigInt(far)), number(0))), far);
  });
});

test("execute() reads the right errno while the garbage collector works", () => {
  const calls = [
    { value: missing, errno: errnos.ENOENT },
    { value: close(-1), errno: errnos.EBADF },
    { value: openat(AT_FDCWD, "/proc/self/exe/x", { flags: 0 }), errno: errnos.ENOTDIR },
    { value: readlinkat(AT_FDCWD, "/", 16), errno: errnos.EINVAL },
  ];
  let litter: unknown[] = [];
  for (let round = 0; round < 4000; round++) {
    const { value, errno } = calls[round % calls.length] ?? { value: missing, errno: 0 };
    // Short-lived objects of all sizes, and now and then a full collection.
    litter.push(new Array(200).fill(round), `${round}`.repeat(500), new Uint8Array(5000));
    if (round % 500 === 0) Bun.gc(true);
    if (litter.length > 600) litter = [];
    assert.is(execute(value), -errno, `round ${round}`);
  }
});

test("executeForOutput() copies what the kernel wrote, and nothing of earlier calls", () => {
  execute(openat(AT_FDCWD, `/${"x".repeat(3000)}`, { flags: 0 }));
  const { result, output } = executeForOutput(getcwd(4096));
  assert.is(Buffer.from(output.subarray(0, result - 1)).toString(), process.cwd());
  assert.ok(output.subarray(result).every((byte) => byte === 0));
  const failed = executeForOutput(statx(AT_FDCWD, "/missing"));
  assert.is(failed.result, -errnos.ENOENT);
  assert.ok(failed.output.every((byte) => byte === 0));
});

test("executeForOutput() gives an output of its own, which later calls leave alone", () => {
  const one = executeForOutput(getcwd(64));
  const copy = one.output.slice();
  executeForOutput(statx(AT_FDCWD, "/"));
  assert.equal(one.output, copy);
});

test("execute() takes operands that are larger than its arena", () => {
  withMemory((fd) => {
    const large = new Uint8Array(1_000_000).map((_, index) => index % 251);
    assert.is(execute(write(fd, large)), large.length);
    rewind(fd);
    const { result, output } = executeForOutput(read(fd, 2_000_000));
    assert.is(result, large.length);
    assert.is(Buffer.compare(output.subarray(0, result), large), 0);
  });
});

test("execute() takes operands at the limit of its arena", () => {
  withMemory((fd) => {
    for (const sizeBytes of [65_520, 65_528, 65_535, 65_536, 65_537, 65_544]) {
      rewind(fd);
      const data = new Uint8Array(sizeBytes).fill(sizeBytes % 256);
      assert.is(execute(write(fd, data)), sizeBytes);
      rewind(fd);
      const { result, output } = executeForOutput(read(fd, sizeBytes));
      assert.is(result, sizeBytes);
      assert.is(Buffer.compare(output, data), 0);
    }
  });
});

test("execute() passes long vectors of texts", () => {
  const many = Array.from({ length: 5000 }, (_, index) => `VARIABLE_${index}=${"é".repeat(20)}`);
  assert.is(execute(execve("/missing", many, many)), -errnos.ENOENT);
  // The kernel looks at the vectors only when the program exists: an argument beyond 128 KiB is refused.
  const tooLong = execve("/proc/self/exe", ["x".repeat(200_000)], []);
  assert.is(execute(tooLong), -errnos.E2BIG);
});

test("execute() refuses results of a batch: there is no batch here", () => {
  assert.throws(() => execute(close(slot("a"))), /in the runtime refers to a batch/);
  const answer = call("write", number(1), answerOperand("address"));
  assert.throws(() => execute(answer), /in the runtime refers to a batch/);
});

test("must() gives the result, or a fault that says what, which call, where and why", () => {
  assert.is(must(getpid(), "asking"), process.pid);
  assert.equal(
    faultOf(() => must(missing, "opening the door")),
    {
      kind: "syscall",
      doing: "opening the door",
      call: "openat",
      target: '"/missing"',
      errno: "ENOENT",
      where: "runtime",
    },
  );
  const closing = faultOf(() => must(close(-1), "closing"));
  assert.not("target" in closing);
});

test("mustForOutput() gives the output, or the fault", () => {
  assert.ok(mustForOutput(getcwd(4096), "asking").result > 1);
  assert.is(faultOf(() => mustForOutput(getcwd(1), "asking")).kind, "syscall");
});

test.run();
