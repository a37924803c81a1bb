// What the runtime makes of an answer: results, outputs, faults, and each demand met and missed.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errnos } from "../../src/abi/errno.ts";
import { fileSystemMagic, fileTypes } from "../../src/abi/file.ts";
import { type StructLayout, statfsBuffer, statxBuffer } from "../../src/abi/struct.ts";
import { present } from "../../src/base/assert.ts";
import { type Fault, FaultError } from "../../src/base/fault.ts";
import { type Answer, fileDevice, readAnswer } from "../../src/init/answer.ts";
import { encodeBatch, notExecuted } from "../../src/init/batch.ts";
import { header } from "../../src/init/layout.ts";
import { ignore, ignoreAny, type Step, step, type Verification } from "../../src/program/step.ts";
import { fstatfs, getcwd, openat, openat2, statx } from "../../src/syscall/files.ts";
import { getppid } from "../../src/syscall/processes.ts";

const test = suite("init/answer");

/** What the stub has found: a result for each record, the output of the first that has one, the record that stopped it. */
type Found = {
  readonly results: readonly number[];
  readonly output?: Uint8Array;
  readonly stopped?: number;
};

function answer(steps: readonly Step[], found: Found): Answer {
  const batch = encodeBatch(steps, new Map());
  const bytes = Buffer.alloc(batch.answerBytes);
  bytes.set(batch.bytes.subarray(0, batch.answerBytes));
  bytes.writeUInt32LE(found.stopped ?? batch.lines.length, header.stopped);
  found.results.forEach((result, index) => {
    bytes.writeBigInt64LE(BigInt(result), header.sizeBytes + 8 * index);
  });
  const place = batch.lines.find(({ outputOffset }) => outputOffset > 0);
  if (found.output !== undefined) bytes.set(found.output, present(place, "an output").outputOffset);
  return readAnswer(batch, bytes);
}

function faultOf(action: () => unknown): Fault {
  try {
    action();
  } catch (error) {
    if (error instanceof FaultError) return error.fault;
    throw error;
  }
  throw new Error("no fault");
}

const open = openat(-100, "/etc", { flags: 0 });

test("readAnswer() has openat2 tried again after EAGAIN, and no other call", () => {
  const steps = [step("two", openat2(-100, "/a", { flags: 0, resolve: 0x10 }))];
  const found = { results: [-errnos.EAGAIN], stopped: 0 };
  const { interrupted } = answer(steps, found);
  assert.is(interrupted?.at, 0);
  assert.is(interrupted?.recovery.next, "retry");
  assert.equal(interrupted?.recovery.steps, []);
  assert.is(faultOf(() => answer([step("one", open)], found)).kind, "syscall");
});

test("readAnswer() gives results and outputs by slot, of those steps that have one", () => {
  const steps = [
    step("one", open),
    step("two", open, { slot: "b" }),
    step("cwd", getcwd(8), { slot: "c" }),
  ];
  const { results, outputs } = answer(steps, { results: [3, 4, 2], output: Buffer.from("/\0") });
  assert.equal(
    [...results],
    [
      ["b", 4],
      ["c", 2],
    ],
  );
  assert.equal([...outputs.keys()], ["c"]);
  assert.is(outputs.get("c")?.[0], 0x2f);
});

test("readAnswer() leaves out what was not executed, and the output of what failed", () => {
  const steps = [
    step("one", getcwd(8), { slot: "a", recovery: ignoreAny }),
    step("two", open, { slot: "b" }),
  ];
  const { results, outputs } = answer(steps, { results: [-errnos.ENOENT, notExecuted] });
  assert.equal([...results], [["a", -errnos.ENOENT]]);
  assert.is(outputs.size, 0);
});

test("readAnswer() raises the fault of the step that stopped the batch", () => {
  const steps = [step("opening the door", open), step("going in", open)];
  const found = { results: [-errnos.EACCES, notExecuted], stopped: 0 };
  assert.equal(
    faultOf(() => answer(steps, found)),
    {
      kind: "syscall",
      doing: "opening the door",
      call: "openat",
      target: '"/etc"',
      errno: "EACCES",
      where: "init",
    },
  );
});

test("readAnswer() names no target where a call has no path", () => {
  const found = { results: [-errnos.EPERM], stopped: 0 };
  assert.not("target" in faultOf(() => answer([step("asking", getppid())], found)));
});

test("readAnswer() takes an error for a fault unless the step expects it", () => {
  const expecting = (recovery: Step["recovery"]): Step[] => [
    step("opening", open, recovery === undefined ? {} : { recovery, slot: "a" }),
    step("more", open),
  ];
  const found = (errno: number): Found => ({ results: [-errno, 5] });
  assert.is(answer(expecting(ignore("ENOENT")), found(errnos.ENOENT)).results.get("a"), -2);
  assert.is(answer(expecting(ignoreAny), found(errnos.EIO)).results.get("a"), -errnos.EIO);
  const two = expecting(ignore("ENOENT", "ENOTDIR"));
  assert.is(answer(two, found(errnos.ENOTDIR)).results.get("a"), -errnos.ENOTDIR);
  // The stub let it pass, since it can tell only one errno from the others.
  assert.is(faultOf(() => answer(two, found(errnos.EIO))).kind, "syscall");
  assert.is(faultOf(() => answer(expecting(undefined), found(errnos.EIO))).kind, "syscall");
});

test("readAnswer() names an errno that nobody knows by its number", () => {
  const fault = faultOf(() => answer([step("opening", open)], { results: [-523], stopped: 0 }));
  assert.is(fault.kind === "syscall" ? fault.errno : "", "errno 523");
});

/** An answer to one step with this demand. */
function verify(call: Step["call"], demand: Verification, found: Found): Answer {
  return answer([step("looking", call, { slot: "a", verify: demand })], found);
}

function filled(layout: StructLayout, values: Readonly<Record<string, number | bigint>>): Buffer {
  const bytes = Buffer.alloc(layout.sizeBytes);
  for (const [name, value] of Object.entries(values)) {
    const { offset, sizeBytes } = present(layout.fields[name], name);
    if (sizeBytes === 8) bytes.writeBigUInt64LE(BigInt(value), offset);
    else bytes.writeUIntLE(Number(value), offset, sizeBytes);
  }
  return bytes;
}

function refuses(call: Step["call"], demand: Verification, found: Found): void {
  assert.is(faultOf(() => verify(call, demand, found)).kind, "refused");
}

test("readAnswer() demands a result", () => {
  const demand = { kind: "result", value: 1000 } as const;
  verify(getppid(), demand, { results: [1000] });
  refuses(getppid(), demand, { results: [1] });
  refuses(getppid(), demand, { results: [0] });
});

test("readAnswer() demands a device by type and number", () => {
  const call = statx(5, "", 0x1000);
  const demand = { kind: "device", type: "character", major: 1, minor: 3 } as const;
  const found = (mode: number, major: number, minor: number): Found => ({
    results: [0],
    output: filled(statxBuffer, { stx_mode: mode, stx_rdev_major: major, stx_rdev_minor: minor }),
  });
  verify(call, demand, found(fileTypes.S_IFCHR | 0o666, 1, 3));
  refuses(call, demand, found(fileTypes.S_IFBLK | 0o666, 1, 3));
  refuses(call, demand, found(fileTypes.S_IFREG, 1, 3));
  refuses(call, demand, found(fileTypes.S_IFCHR, 1, 5));
  refuses(call, demand, found(fileTypes.S_IFCHR, 5, 3));
  const block = { ...demand, type: "block" } as const;
  verify(call, block, found(fileTypes.S_IFBLK, 1, 3));
  refuses(call, block, found(fileTypes.S_IFCHR, 1, 3));
  const fifo = { ...demand, type: "fifo" } as const;
  verify(call, fifo, found(fileTypes.S_IFIFO, 0, 0));
  refuses(call, fifo, found(fileTypes.S_IFREG, 0, 0));
});

test("readAnswer() demands the file that the runtime saw, with an inode number beyond 53 bits", () => {
  const call = statx(5, "", 0x1000);
  const inode = 2n ** 60n + 1n;
  const demand = { kind: "same-file", device: "8:1", inode } as const;
  const found = (values: Readonly<Record<string, number | bigint>>): Found => ({
    results: [0],
    output: filled(statxBuffer, values),
  });
  const right = { stx_dev_major: 8, stx_dev_minor: 1, stx_ino: inode };
  verify(call, demand, found(right));
  refuses(call, demand, found({ ...right, stx_ino: inode - 1n }));
  refuses(call, demand, found({ ...right, stx_dev_minor: 2 }));
  refuses(call, demand, found({ ...right, stx_dev_major: 9 }));
});

test("readAnswer() demands a file system by its magic number", () => {
  const demand = { kind: "file-system", magic: fileSystemMagic.PROC_SUPER_MAGIC } as const;
  const found = (magic: number): Found => ({
    results: [0],
    output: filled(statfsBuffer, { f_type: magic }),
  });
  verify(fstatfs(5), demand, found(fileSystemMagic.PROC_SUPER_MAGIC));
  refuses(fstatfs(5), demand, found(fileSystemMagic.TMPFS_MAGIC));
});

test("readAnswer() demands another file system, and an inode, in words of the step's", () => {
  const words = "cannot be what it is";
  const magic = fileSystemMagic.PROC_SUPER_MAGIC;
  const other = { kind: "other-file-system", magic, words } as const;
  const filesystem = (f_type: number): Found => ({
    results: [0],
    output: filled(statfsBuffer, { f_type }),
  });
  verify(fstatfs(5), other, filesystem(fileSystemMagic.TMPFS_MAGIC));
  refuses(fstatfs(5), other, filesystem(magic));
  const inode = { kind: "inode", inode: 1n, words } as const;
  const file = (stx_ino: bigint): Found => ({
    results: [0],
    output: filled(statxBuffer, { stx_ino }),
  });
  verify(statx(5, "", 0x1000), inode, file(1n));
  refuses(statx(5, "", 0x1000), inode, file(2n));
});

test("readAnswer() demands a working directory inside the root", () => {
  const demand = { kind: "path-inside" } as const;
  const found = (path: string): Found => ({ results: [path.length], output: Buffer.from(path) });
  verify(getcwd(64), demand, found("/\0"));
  verify(getcwd(64), demand, found("/a/b\0"));
  refuses(getcwd(64), demand, found("(unreachable)/\0"));
  refuses(getcwd(64), demand, found("\0"));
});

test("readAnswer() demands nothing of what was not executed, or failed as expected", () => {
  const looking = step("looking", getppid(), {
    verify: { kind: "result", value: 7 },
    recovery: ignoreAny,
  });
  answer([looking], { results: [notExecuted] });
  answer([looking], { results: [-errnos.EPERM] });
});

test("readAnswer() reads the answer of a half that leaves: its own write has not happened yet", () => {
  const steps = [
    step("first", open, { slot: "a", recovery: ignore("ENOENT") }),
    step("forking", getppid(), { slot: "init" }),
    step("telling", getppid()),
  ];
  const batch = encodeBatch(steps, new Map());
  // Written before the stub has said where it stopped.
  const bytes = Buffer.from(batch.bytes.subarray(0, batch.answerBytes));
  bytes.writeBigInt64LE(BigInt(-errnos.ENOENT), header.sizeBytes);
  bytes.writeBigInt64LE(77n, header.sizeBytes + 8);
  const { results } = readAnswer(batch, bytes);
  assert.is(results.get("init"), 77);
  assert.is(results.get("a"), -errnos.ENOENT);
});

test("fileDevice() tells devices apart by major and minor number", () => {
  const device = (major: number, minor: number): string =>
    fileDevice(filled(statxBuffer, { stx_dev_major: major, stx_dev_minor: minor }));
  assert.is(device(8, 1), "8:1");
  assert.is.not(device(1, 11), device(11, 1));
});

test.run();
