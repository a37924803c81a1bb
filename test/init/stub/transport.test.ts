// How the stub takes batches in and sends answers out: refusals, ends of file, non-blocking doorbells, signals, sizes.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errnos } from "../../../src/abi/errno.ts";
import { signals } from "../../../src/abi/process.ts";
import { type SyscallName, syscallNumberOn } from "../../../src/abi/syscall-numbers.ts";
import { areaMaxBytes, recordsMax } from "../../../src/init/layout.ts";
import { stubImage } from "../../../src/init/stub/image.ts";
import { encodeBatch, quads, type Record, resultOf, text } from "./batch.ts";
import { architectures, type End, type Stub, spawnStub } from "./driver.ts";

const test = suite("init/stub/transport");

/** The four numbers of a header. */
type Header = { readonly count: number; readonly answerBytes: number; readonly totalBytes: number };

function headerBytes({ count, answerBytes, totalBytes }: Header): Uint8Array {
  return new Uint8Array(Uint32Array.of(count, answerBytes, totalBytes, 0).buffer);
}

for (const architecture of architectures) {
  const call = (name: SyscallName): number => syscallNumberOn(architecture, name);
  const getpid: Record = { number: call("getpid") };
  const isAlive = (stub: Stub): boolean => stub.run([getpid]).results.length === 1;

  test(`${architecture}: a header that does not fit ends the stub, one that just fits does not`, () => {
    const endWith = (given: Header): End | undefined => {
      using stub = spawnStub(architecture);
      // At once, as it may be gone after the header; whoever takes more than the header has accepted it.
      stub.send(Buffer.concat([headerBytes(given), new Uint8Array(64)]));
      return stub.takesAll() ? undefined : stub.wait();
    };
    const cases: readonly (readonly [string, Header, boolean])[] = [
      ["a record that fits", { count: 1, answerBytes: 24, totalBytes: 96 }, true],
      ["a record that is cut off", { count: 1, answerBytes: 24, totalBytes: 95 }, false],
      [
        "an answer without room for its result",
        { count: 1, answerBytes: 16, totalBytes: 96 },
        false,
      ],
      ["an answer without room for a header", { count: 0, answerBytes: 8, totalBytes: 96 }, false],
      ["an answer that is not aligned", { count: 0, answerBytes: 20, totalBytes: 96 }, false],
      ["an answer longer than the batch", { count: 0, answerBytes: 104, totalBytes: 96 }, false],
      [
        "the largest answer there can be",
        { count: 0, answerBytes: 2 ** 32 - 8, totalBytes: 96 },
        false,
      ],
      ["no bytes at all", { count: 0, answerBytes: 16, totalBytes: 0 }, false],
      ["the largest batch", { count: 0, answerBytes: 16, totalBytes: areaMaxBytes }, true],
      ["one byte more", { count: 0, answerBytes: 16, totalBytes: areaMaxBytes + 1 }, false],
      ["the largest number", { count: 0, answerBytes: 16, totalBytes: 2 ** 32 - 1 }, false],
      [
        "as many records as there may be",
        { count: recordsMax, answerBytes: 16 + 8 * recordsMax, totalBytes: 16 + 80 * recordsMax },
        true,
      ],
      [
        "one record more",
        {
          count: recordsMax + 1,
          answerBytes: 24 + 8 * recordsMax,
          totalBytes: 16 + 80 * (recordsMax + 1),
        },
        false,
      ],
      // 8 * count and 72 * count are 0 in 32 bits.
      ["a count that overflows", { count: 2 ** 29, answerBytes: 16, totalBytes: 96 }, false],
    ];
    for (const [name, given, fits] of cases) {
      assert.equal(endWith(given), fits ? undefined : { exited: 1 }, name);
    }
  });

  test(`${architecture}: the end of the file ends the stub wherever it comes`, () => {
    const { bytes } = encodeBatch([getpid]);
    for (const sent of [0, 1, 8, 15, 16, 17, 50, bytes.length - 1]) {
      using stub = spawnStub(architecture);
      stub.send(bytes.subarray(0, sent));
      stub.shutdown();
      assert.equal(stub.wait(), { exited: 1 }, `after ${sent} bytes`);
    }
    using stub = spawnStub(architecture);
    assert.ok(isAlive(stub));
    stub.shutdown();
    assert.equal(stub.wait(), { exited: 1 }, "after an answer");
  });

  test(`${architecture}: a batch is taken byte by byte as well`, () => {
    for (const nonBlocking of [false, true]) {
      using stub = spawnStub(architecture, { nonBlocking });
      const batch = encodeBatch([
        getpid,
        { number: call("memfd_create"), operands: [text("m"), 0] },
      ]);
      for (const byte of batch.bytes) stub.send(Uint8Array.of(byte));
      assert.is(stub.answer(batch).results[0], stub.pid);
    }
  });

  test(`${architecture}: batches that arrive at once are answered one after the other`, () => {
    using stub = spawnStub(architecture);
    const batch = encodeBatch([getpid]);
    stub.send(Buffer.concat([batch.bytes, batch.bytes, batch.bytes]));
    for (let index = 0; index < 3; index++) {
      assert.equal(stub.answer(batch).results, [stub.pid]);
    }
  });

  test(`${architecture}: a non-blocking doorbell is waited for without burning time`, () => {
    using stub = spawnStub(architecture, { nonBlocking: true });
    assert.ok(isAlive(stub));
    const before = stub.cpuTicks();
    Bun.sleepSync(300);
    assert.ok(stub.cpuTicks() - before <= 1, "at most a tick of 10 ms");
    assert.ok(isAlive(stub));
  });

  test(`${architecture}: an answer larger than the socket's buffer arrives whole`, () => {
    for (const nonBlocking of [false, true]) {
      using stub = spawnStub(architecture, { nonBlocking });
      const sizeBytes = 8 * 1024 * 1024;
      const batch = encodeBatch([
        { number: call("memfd_create"), operands: [text("m"), 0] },
        { number: call("pwrite64"), operands: [resultOf(0), text("end"), 3, sizeBytes - 3] },
        {
          number: call("pread64"),
          operands: [resultOf(0), { outputBytes: sizeBytes }, sizeBytes, 0],
        },
      ]);
      stub.send(batch.bytes);
      // The buffer fills, and the stub waits for room.
      Bun.sleepSync(50);
      const before = stub.cpuTicks();
      Bun.sleepSync(100);
      assert.ok(stub.cpuTicks() - before <= 1, "at most a tick of 10 ms");
      const { results, outputs } = stub.answer(batch);
      assert.is(results[2], sizeBytes);
      assert.is(Buffer.from(outputs[0] ?? []).toString("latin1", sizeBytes - 4), "\0end");
    }
  });

  test(`${architecture}: stopping and continuing it disturbs no exchange`, () => {
    for (const nonBlocking of [false, true]) {
      using stub = spawnStub(architecture, { nonBlocking });
      for (let round = 0; round < 50; round++) {
        stub.signal(signals.SIGSTOP);
        stub.signal(signals.SIGCONT);
        const batch = encodeBatch([getpid]);
        stub.send(batch.bytes.subarray(0, round));
        stub.signal(signals.SIGSTOP);
        stub.signal(signals.SIGCONT);
        stub.send(batch.bytes.subarray(round));
        assert.equal(stub.answer(batch).results, [stub.pid]);
      }
    }
  });

  test(`${architecture}: a storm of handled signals disturbs no exchange`, () => {
    for (const nonBlocking of [false, true]) {
      using stub = spawnStub(architecture, { nonBlocking });
      installHandler(stub);
      // Long in both directions, so that signals arrive while it reads and while it writes.
      const sizeBytes = 1024 * 1024;
      const batch = encodeBatch([
        { number: call("getrandom"), operands: [{ data: new Uint8Array(sizeBytes) }, 8, 0] },
        { ...getpid, operands: [{ outputBytes: sizeBytes }] },
      ]);
      for (let round = 0; round < 5; round++) {
        for (let sent = 0; sent < batch.bytes.length; sent += 10_000) {
          stub.send(batch.bytes.subarray(sent, sent + 10_000));
          stub.signal(signals.SIGUSR1);
        }
        stub.storm(signals.SIGUSR1, 2_000);
        assert.equal(stub.answer(batch).results, [8, stub.pid]);
      }
      stub.storm(signals.SIGUSR1, 2_000);
      assert.ok(isAlive(stub));
    }
  });

  test(`${architecture}: EINTR in a record is a result like any other, and can be retried`, () => {
    using stub = spawnStub(architecture);
    installHandler(stub);
    const pause = (milliseconds: number): Uint8Array => quads(0, milliseconds * 1_000_000);
    // nanosleep fails with EINTR again and again, until no signal comes; its second operand is what is left.
    const left = pause(400);
    const batch = encodeBatch([
      {
        number: call("nanosleep"),
        operands: [{ data: left }, 0],
        errno: errnos.EINTR,
        onError: 0,
      },
      getpid,
    ]);
    stub.send(batch.bytes);
    for (let count = 0; count < 20; count++) {
      Bun.sleepSync(5);
      stub.signal(signals.SIGUSR1);
    }
    assert.equal(stub.answer(batch), { stopped: 2, results: [0, stub.pid], outputs: [] });
  });

  test(`${architecture}: exitAddress is a signal handler that ends the stub`, () => {
    using stub = spawnStub(architecture);
    const { exitAddress } = stubImage(architecture);
    setHandler(stub, exitAddress);
    stub.signal(signals.SIGUSR1);
    assert.equal(stub.wait(), { exited: 1 });
  });

  /** Installs a handler that returns, so that system calls fail with EINTR: SA_RESTART is not set. */
  function installHandler(stub: Stub): void {
    const page = 0x3000_0000;
    const { results } = stub.run([
      { number: call("memfd_create"), operands: [text("handler"), 0] },
      { number: call("write"), operands: [resultOf(0), { data: handler }, handler.length] },
      // PROT_READ | PROT_EXEC, MAP_PRIVATE.
      { number: call("mmap"), operands: [page, 4096, 5, 2, resultOf(0), 0] },
      { number: call("close"), operands: [resultOf(0)] },
    ]);
    assert.is(results[2], page);
    setHandler(stub, page);
  }

  function setHandler(stub: Stub, address: number): void {
    const SA_RESTORER = 0x0400_0000;
    const action =
      architecture === "x86_64"
        ? quads(address, SA_RESTORER, address + 1, 0)
        : quads(address, 0, 0);
    const { results } = stub.run([
      { number: call("rt_sigaction"), operands: [signals.SIGUSR1, { data: action }, 0, 8] },
    ]);
    assert.equal(results, [0]);
  }

  /** x86-64: ret, and for its return address mov eax, rt_sigreturn; syscall. arm64: ret, to the kernel's own code. */
  const handler =
    architecture === "x86_64"
      ? Uint8Array.of(0xc3, 0xb8, 15, 0, 0, 0, 0x0f, 0x05)
      : Uint8Array.of(0xc0, 0x03, 0x5f, 0xd6);
}

test.run();
