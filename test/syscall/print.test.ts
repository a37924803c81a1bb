// Calls as people read them; the text of the golden programs is made of these.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AT_FDCWD, fileTypes, openFlags, resolveFlags } from "../../src/abi/file.ts";
import { cloneFlags, signals } from "../../src/abi/process.ts";
import { capset } from "../../src/syscall/credentials.ts";
import { mknodat, openat, openat2, read, write } from "../../src/syscall/files.ts";
import { fsconfigFlag, mountSetattr } from "../../src/syscall/mounts.ts";
import { describeTarget, printSyscall } from "../../src/syscall/print.ts";
import { clone, execve, prctl, prlimit, setsid } from "../../src/syscall/processes.ts";
import { answerOperand, bytes, call, fdOperand, number, slot } from "../../src/syscall/value.ts";

const test = suite("syscall/print");

test("printSyscall() names slots, flags, and the fields of a structure that are not zero", () => {
  const { O_CLOEXEC, O_PATH } = openFlags;
  const how = { flags: O_PATH | O_CLOEXEC, resolve: resolveFlags.RESOLVE_IN_ROOT };
  assert.is(
    printSyscall(openat2(slot("root"), "proc/sys", how)),
    'openat2(root, "proc/sys", {flags: O_CLOEXEC|O_PATH, resolve: RESOLVE_IN_ROOT}, 24)',
  );
});

test("printSyscall() prints the current directory by its name, and modes in octal", () => {
  assert.is(
    printSyscall(openat(AT_FDCWD, "/", { flags: 0, mode: 0o644 })),
    'openat(AT_FDCWD, "/", 0, 0644)',
  );
});

test("printSyscall() prints device nodes with type, permissions and number", () => {
  const node = { type: fileTypes.S_IFCHR, mode: 0o666, device: { major: 1, minor: 3 } };
  assert.is(
    printSyscall(mknodat(slot("dev"), "null", node)),
    'mknodat(dev, "null", S_IFCHR|0x1b6, 0x103)',
  );
});

test("printSyscall() prints a command by its name, and 0 as 0", () => {
  assert.is(printSyscall(prctl(38, 1)), "prctl(PR_SET_NO_NEW_PRIVS, 1)");
  assert.is(printSyscall(prctl(15, "ts-runc:init")), 'prctl(PR_SET_NAME, "ts-runc:init")');
  assert.is(printSyscall(prctl(47, 2, 21)), "prctl(PR_CAP_AMBIENT, 2, 21)");
  assert.is(printSyscall(fsconfigFlag(5, "ro")), 'fsconfig(5, 0, "ro")');
  assert.is(printSyscall(setsid()), "setsid()");
});

test("printSyscall() prints sets of flags, and in hexadecimal what has no name", () => {
  const flags = cloneFlags.CLONE_PARENT | 0x100;
  assert.is(
    printSyscall(clone({ flags, exitSignal: signals.SIGCHLD })),
    "clone(CLONE_PARENT|SIGCHLD|0x100, 0, 0, 0, 0)",
  );
});

test("printSyscall() prints vectors, outputs and places in outputs", () => {
  assert.is(
    printSyscall(execve("/bin/sh", ["sh", '"'], [])),
    'execve("/bin/sh", ["sh", "\\""], [])',
  );
  assert.is(printSyscall(read(0, 100)), "read(0, out[100], 100)");
  const second = fdOperand(slot("pair", 4));
  assert.is(printSyscall(call("close", second)), "close(pair[4])");
  assert.is(
    printSyscall(call("write", number(3), answerOperand("address"))),
    "write(3, answer.address)",
  );
});

test("printSyscall() prints short bytes whole, and a long run of one value by its length", () => {
  assert.is(printSyscall(write(1, new Uint8Array([1, 0xab]))), "write(1, 0x01ab, 2)");
  const run = call("write", bytes(new Uint8Array(1024).fill(0xff)));
  assert.is(printSyscall(run), "write(1024*0xff)");
});

test("printSyscall() prints capability sets whole, the empty ones too, and limits exactly", () => {
  const sets = { effective: 1n << 40n, permitted: 0x3n, inheritable: 0n };
  assert.is(
    printSyscall(capset(sets)),
    [
      "capset({version: 0x20080522}, {effective_low: 0x0, permitted_low: 0x3, inheritable_low: 0x0, ",
      "effective_high: 0x100, permitted_high: 0x0, inheritable_high: 0x0})",
    ].join(""),
  );
  assert.is(
    printSyscall(prlimit(0, { type: "RLIMIT_NOFILE", soft: 2n ** 64n - 1n, hard: 1 })),
    "prlimit64(0, RLIMIT_NOFILE, {rlim_cur: 18446744073709551615, rlim_max: 1}, 0)",
  );
});

test("printSyscall() tells the same call apart by every operand", () => {
  const change = { flags: 0, set: 1 };
  const texts = [
    mountSetattr(4, "", change),
    mountSetattr(5, "", change),
    mountSetattr(4, "a", change),
    mountSetattr(4, "", { ...change, clear: 1 }),
    mountSetattr(4, "", { ...change, flags: 0x8000 }),
    mountSetattr(4, "", { ...change, usernsFd: 3 }),
  ].map(printSyscall);
  assert.is(new Set(texts).size, texts.length);
});

test("describeTarget() gives the first path that is not empty, quoted", () => {
  assert.is(describeTarget(openat(AT_FDCWD, 'a"b', { flags: 0 })), '"a\\"b"');
  assert.is(describeTarget(mountSetattr(4, "", { flags: 0 })), undefined);
});

test.run();
