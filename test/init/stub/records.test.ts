// What the stub does with each field of a record, on every architecture that can run here.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errnos } from "../../../src/abi/errno.ts";
import { signals } from "../../../src/abi/process.ts";
import { type SyscallName, syscallNumberOn } from "../../../src/abi/syscall-numbers.ts";
import { areaAddress, defaultDoorbellFd, endOfBatch } from "../../../src/init/layout.ts";
import { encodeBatch, quads, type Record, resultOf, text } from "./batch.ts";
import { architectures, type End, spawnStub } from "./driver.ts";

const test = suite("init/stub/records");

for (const architecture of architectures) {
  const call = (name: SyscallName): number => syscallNumberOn(architecture, name);
  const getpid: Record = { number: call("getpid") };
  /** Returns what the one before it set: a result of our choice. */
  const setUmask = (value: number): Record => ({ number: call("umask"), operands: [value] });
  /** Fails with EBADF. */
  const closeNothing = (more: Partial<Record> = {}): Record => ({
    number: call("close"),
    operands: [999],
    ...more,
  });

  test(`${architecture}: a batch of no records is answered with its header`, () => {
    using stub = spawnStub(architecture);
    assert.equal(stub.run([]), { stopped: 0, results: [], outputs: [] });
    assert.equal(stub.run([]), { stopped: 0, results: [], outputs: [] });
  });

  test(`${architecture}: a result is what the system call returned, and stopped the count`, () => {
    using stub = spawnStub(architecture);
    const answer = stub.run([getpid, setUmask(0o22), setUmask(0o77)]);
    assert.equal(answer.results.slice(0, 1), [stub.pid]);
    assert.equal(answer.results.slice(2), [0o22]);
    assert.is(answer.stopped, 3);
  });

  test(`${architecture}: all six operands arrive in their places`, () => {
    using stub = spawnStub(architecture);
    // mmap looks at all six: an offset that is not a multiple of the page size is EINVAL.
    const mmap = (offset: number): Record => ({
      number: call("mmap"),
      operands: [0x2000_0000, 0x1000, 3, 0x10_0022, -1, offset],
      onError: 2,
    });
    const good = stub.run([mmap(0), getpid]);
    assert.equal(good.results, [0x2000_0000, stub.pid]);
    assert.is(stub.run([mmap(1), getpid]).results[0], -errnos.EINVAL);
  });

  test(`${architecture}: an indirect operand is the result of an earlier record, in any place`, () => {
    using stub = spawnStub(architecture);
    // memfd, write "hello" to it, and read it back at offset 1 with length 4: both come from results.
    const answer = stub.run([
      { number: call("memfd_create"), operands: [text("m"), 0] },
      { number: call("write"), operands: [resultOf(0), text("hello"), 5] },
      setUmask(4),
      { ...setUmask(1) },
      setUmask(0),
      {
        number: call("pread64"),
        operands: [resultOf(0), { outputBytes: 8 }, resultOf(3), resultOf(4)],
      },
      { number: call("close"), operands: [resultOf(0)] },
    ]);
    assert.equal(answer.results.slice(1), [5, answer.results[2], 4, 1, 4, 0]);
    assert.is(Buffer.from(answer.outputs[0] ?? []).toString("latin1"), "ello\0\0\0\0");
    assert.is(answer.stopped, 7);
  });

  test(`${architecture}: a failed result as an indirect operand becomes the result and stops`, () => {
    using stub = spawnStub(architecture);
    const answer = stub.run([
      closeNothing({ onError: 1 }),
      { number: call("dup3"), operands: [resultOf(0), 9, 0], onError: 2 },
      getpid,
    ]);
    assert.equal(answer, { stopped: 1, results: [-errnos.EBADF, -errnos.EBADF, 0], outputs: [] });
  });

  test(`${architecture}: only -4095 to -1 count as failed results of an indirect operand`, () => {
    using stub = spawnStub(architecture);
    // The data of a batch of one record: header 16, result 8, record 72.
    const fetch = (value: number) =>
      stub.run([
        { number: call("umask"), operands: [{ indirect: 96 }, { data: quads(value) }], onError: 1 },
      ]);
    for (const value of [-4096, 0, 0x7fff_ffff]) assert.is(fetch(value).stopped, 1, `${value}`);
    for (const value of [-4095, -100, -1]) {
      assert.equal(fetch(value), { stopped: 0, results: [value], outputs: [] });
    }
  });

  test(`${architecture}: an error with nowhere to go ends the batch at its record`, () => {
    using stub = spawnStub(architecture);
    const answer = stub.run([getpid, closeNothing(), getpid]);
    assert.equal(answer, { stopped: 1, results: [stub.pid, -errnos.EBADF, 0], outputs: [] });
  });

  test(`${architecture}: onError goes on after an error, past it, or to the end of the batch`, () => {
    using stub = spawnStub(architecture);
    const bad = -errnos.EBADF;
    const next = stub.run([closeNothing({ onError: 1 }), getpid, getpid]);
    assert.equal([next.stopped, ...next.results], [3, bad, stub.pid, stub.pid]);
    const past = stub.run([closeNothing({ onError: 2 }), getpid, getpid]);
    assert.equal([past.stopped, ...past.results], [3, bad, 0, stub.pid]);
    const end = stub.run([closeNothing({ onError: 3 }), getpid, getpid]);
    assert.equal([end.stopped, ...end.results], [3, bad, 0, 0]);
    const beyond = stub.run([closeNothing({ onError: 4 }), getpid, getpid]);
    assert.equal([beyond.stopped, ...beyond.results], [0, bad, 0, 0]);
  });

  test(`${architecture}: the errno filter lets only its errno go to onError`, () => {
    using stub = spawnStub(architecture);
    const hit = stub.run([closeNothing({ onError: 1, errno: errnos.EBADF }), getpid]);
    assert.equal([hit.stopped, ...hit.results], [2, -errnos.EBADF, stub.pid]);
    const miss = stub.run([closeNothing({ onError: 1, errno: errnos.ENOENT }), getpid]);
    assert.equal([miss.stopped, ...miss.results], [0, -errnos.EBADF, 0]);
  });

  test(`${architecture}: onZero is for 0 only, and may end the batch`, () => {
    using stub = spawnStub(architecture);
    stub.run([setUmask(0)]);
    const zero = stub.run([{ ...setUmask(5), onZero: 2 }, getpid, getpid]);
    assert.equal([zero.stopped, ...zero.results], [3, 0, 0, stub.pid]);
    const positive = stub.run([{ ...setUmask(0), onZero: 2 }, getpid, getpid]);
    assert.equal([positive.stopped, ...positive.results], [3, 5, stub.pid, stub.pid]);
    const end = stub.run([{ ...setUmask(0), onZero: endOfBatch }, getpid]);
    assert.equal([end.stopped, ...end.results], [0, 0, 0]);
  });

  test(`${architecture}: a jump may go backwards`, () => {
    using stub = spawnStub(architecture);
    // Reads a file byte by byte until read returns 0, which alone leaves the loop.
    const answer = stub.run([
      { number: call("memfd_create"), operands: [text("m"), 0] },
      { number: call("write"), operands: [resultOf(0), text("abcdefghi"), 9] },
      { number: call("lseek"), operands: [resultOf(0), 0, 0] },
      { number: call("read"), operands: [resultOf(0), { outputBytes: 8 }, 1], onZero: 5 },
      closeNothing({ onError: 3 }),
      getpid,
    ]);
    assert.equal(answer.results.slice(3), [0, -errnos.EBADF, stub.pid]);
    assert.is(Buffer.from(answer.outputs[0] ?? []).toString("latin1", 0, 1), "i");
    assert.is(answer.stopped, 6);
  });

  test(`${architecture}: a bad pointer is EFAULT and an unknown call ENOSYS`, () => {
    using stub = spawnStub(architecture);
    const answer = stub.run([
      { number: call("pipe2"), operands: [8, 0], onError: 1 },
      { number: 4000, onError: 2 },
      { number: 0x7fff_ffff, onError: 3 },
    ]);
    assert.equal(answer.results, [-errnos.EFAULT, -errnos.ENOSYS, -errnos.ENOSYS]);
  });

  test(`${architecture}: an indirect offset outside of the batch ends the stub`, () => {
    const endWith = (offset: number): End | undefined => {
      using stub = spawnStub(architecture);
      stub.send(encodeBatch([{ number: call("umask"), operands: [{ indirect: offset }] }]).bytes);
      return stub.answers() ? undefined : stub.wait();
    };
    // A batch of one record has 96 bytes, of which the last eight begin at 88.
    assert.is(endWith(88), undefined);
    for (const offset of [89, 96, 2 ** 31, 2 ** 40, -8]) {
      assert.equal(endWith(offset), { exited: 1 }, `offset ${offset}`);
    }
  });

  test(`${architecture}: after a clone the parent half answers by itself, the child half goes on`, () => {
    using stub = spawnStub(architecture);
    // The child may not touch the doorbell before the parent has left: it waits for the end of a pipe that only the
    // parent holds open. Its two descriptors stand behind the results.
    const count = 8;
    const pipe = 16 + 8 * count;
    const cloned = areaAddress + 16 + 8;
    const batch = encodeBatch([
      { number: call("pipe2"), operands: [{ outputBytes: 16 }, 0] },
      { number: call("clone"), operands: [signals.SIGCHLD, 0, 0, 0, 0], onZero: 4 },
      { number: call("write"), operands: [defaultDoorbellFd, cloned, 8] },
      { number: call("exit_group"), operands: [7] },
      { number: call("close"), operands: [{ indirect: pipe + 4 }] },
      { number: call("read"), operands: [{ indirect: pipe }, areaAddress, 1] },
      getpid,
      getpid,
    ]);
    stub.send(batch.bytes);
    const child = Number(new DataView(stub.receive(8).buffer).getBigInt64(0, true));
    assert.equal(stub.wait(), { exited: 7 });
    const answer = stub.answer(batch);
    assert.equal(answer.results.slice(1), [0, 0, 0, 0, 0, child, child]);
    assert.is(answer.stopped, count);
    assert.equal(stub.run([getpid]).results, [child]);
  });

  test(`${architecture}: 25,000 records run in one batch`, () => {
    using stub = spawnStub(architecture);
    for (const count of [5_000, 25_000, 1]) {
      const answer = stub.run(Array.from({ length: count }, () => getpid));
      assert.is(answer.stopped, count);
      assert.ok(answer.results.every((result) => result === stub.pid));
    }
  });
}

test.run();
