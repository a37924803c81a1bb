// The stub as pid 1 of a pid namespace. Needs root.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { architecture } from "../../src/abi/architecture.ts";
import { cloneFlags, signals } from "../../src/abi/process.ts";
import { type SyscallName, syscallNumber } from "../../src/abi/syscall-numbers.ts";
import { areaAddress, defaultDoorbellFd } from "../../src/init/layout.ts";
import { stubImage } from "../../src/init/stub/image.ts";
import { encodeBatch, quads } from "../init/stub/batch.ts";
import { type Stub, spawnStub } from "../init/stub/driver.ts";

const test = suite("kernel/stub-pid1");
const call = (name: SyscallName): number => syscallNumber(name);
const getpid = { number: call("getpid") };

/** A stub that has cloned itself into a new pid namespace; the half that stayed outside has left. */
function spawnInit(): Stub {
  const stub = spawnStub(architecture);
  const [cloned, pipe] = [16 + 8 * 2, 16 + 8 * 7];
  const batch = encodeBatch([
    { number: call("unshare"), operands: [cloneFlags.CLONE_NEWPID] },
    { number: call("pipe2"), operands: [{ outputBytes: 16 }, 0] },
    {
      number: call("clone"),
      operands: [cloneFlags.CLONE_PARENT | signals.SIGCHLD, 0, 0, 0, 0],
      onZero: 5,
    },
    { number: call("write"), operands: [defaultDoorbellFd, areaAddress + cloned, 8] },
    { number: call("exit_group"), operands: [0] },
    // The child holds its tongue until the parent has left, and with it the pipe's other writer.
    { number: call("close"), operands: [{ indirect: pipe + 4 }] },
    { number: call("read"), operands: [{ indirect: pipe }, areaAddress, 1] },
  ]);
  stub.send(batch.bytes);
  stub.becomeChild(Number(new DataView(stub.receive(8).buffer).getBigInt64(0, true)));
  stub.answer(batch);
  return stub;
}

test("a cloned stub is pid 1 in there, and has the pid outside that its parent half reported", () => {
  using stub = spawnInit();
  assert.equal(stub.run([getpid]).results, [1]);
});

test("SIGTERM does nothing to pid 1 until exitAddress is its handler", () => {
  using stub = spawnInit();
  stub.signal(signals.SIGTERM);
  assert.equal(stub.run([getpid]).results, [1]);
  const SA_RESTORER = 0x0400_0000;
  const action = quads(stubImage(architecture).exitAddress, SA_RESTORER, 0, 0);
  const { results } = stub.run([
    { number: call("rt_sigaction"), operands: [signals.SIGTERM, { data: action }, 0, 8] },
  ]);
  assert.equal(results, [0]);
  stub.signal(signals.SIGTERM);
  assert.equal(stub.wait(), { exited: 1 });
});

test("pid 1 ends when its doorbell is closed", () => {
  using stub = spawnInit();
  stub.close();
  assert.equal(stub.wait(), { exited: 1 });
});

test.run();
