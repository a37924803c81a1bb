// What a stub is as a process: its memory, its descriptors, and what of it could be written to or executed.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { architecture as hostArchitecture } from "../../../src/abi/architecture.ts";
import { errnos } from "../../../src/abi/errno.ts";
import { prctlOptions, signals } from "../../../src/abi/process.ts";
import { syscallNumberOn } from "../../../src/abi/syscall-numbers.ts";
import { areaAddress } from "../../../src/init/layout.ts";
import { encodeBatch, quads, type Record, text } from "./batch.ts";
import { architectures, spawnStub } from "./driver.ts";

const test = suite("init/stub/process");

// Only the machine's own architecture is looked at in here. Under qemu-user, /proc shows the emulator: its memory, its
// writable code cache, the descriptors it opened. Nor has it seccomp(2) (ENOSYS) or CLONE_PARENT (EINVAL), which is why
// test/kernel/stub-pid1.test.ts does without it, too. What the kernel maps is decided by the same ELF header.
const architecture = hostArchitecture;
const getpid: Record = { number: syscallNumberOn(architecture, "getpid") };

type Mapping = { readonly range: string; readonly access: string; readonly name: string };

function mappings(pid: number): Mapping[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [range = "", access = "", , , , name = ""] = line.split(/ +/);
      return { range, access, name };
    });
}

test("an idle stub takes less than 40 KB of memory after a small batch", () => {
  using stub = spawnStub(architecture);
  stub.run([getpid, getpid]);
  const rollup = readFileSync(`/proc/${stub.pid}/smaps_rollup`, "utf8");
  const pssKb = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]);
  console.log(`an idle stub takes ${pssKb} KB`);
  assert.ok(pssKb > 0 && pssKb < 40, `${pssKb} KB`);
});

test("the memory of a large batch is given back with the next one", () => {
  using stub = spawnStub(architecture);
  const large = { data: new Uint8Array(32 * 1024 * 1024) };
  stub.run([{ ...getpid, operands: [large] }]);
  stub.run([getpid]);
  const area = areaAddress.toString(16);
  const found = mappings(stub.pid).filter(({ range }) => range.startsWith(area.slice(0, 2)));
  assert.equal(
    found.map(({ range }) => range),
    [`${area}-${(areaAddress + 4096).toString(16)}`],
  );
});

test("a batch finds nothing of the one before it", () => {
  using stub = spawnStub(architecture);
  const secret = Buffer.alloc(4096, "secret");
  stub.run([{ ...getpid, operands: [{ data: secret }] }]);
  const [output] = stub.run([{ ...getpid, operands: [{ outputBytes: 4096 }] }]).outputs;
  assert.equal(Buffer.from(output ?? []), Buffer.alloc(4096));
});

test("a stub maps its code, its area and its stack, and nothing writable and executable", () => {
  using stub = spawnStub(architecture);
  stub.run([getpid]);
  const found = mappings(stub.pid);
  for (const { access, name } of found) assert.not.match(access, /w.*x/, name);
  const ours = found.filter(({ name }) => !/^\[v/.test(name));
  assert.equal(
    ours.map(({ access, name }) => [access, name.startsWith("/") ? "stub" : name]),
    [
      ["r-xp", "stub"],
      ["rw-p", ""],
      ["rw-p", "[stack]"],
    ],
  );
});

test("a stub has the descriptors that it was given and no others", () => {
  for (const doorbellFd of [3, 7, 250]) {
    using stub = spawnStub(architecture, { doorbellFd });
    stub.run([getpid]);
    const fds = readdirSync(`/proc/${stub.pid}/fd`).map(Number);
    assert.equal(fds, [0, 1, 2, doorbellFd]);
    assert.match(readlinkSync(`/proc/${stub.pid}/fd/${doorbellFd}`), /^socket:/);
  }
});

test("the doorbell may have any number on every architecture", () => {
  for (const each of architectures) {
    using stub = spawnStub(each, { doorbellFd: 200 });
    const number = syscallNumberOn(each, "getpid");
    assert.equal(stub.run([{ number }]).results, [stub.pid]);
  }
});

test("a stub without a doorbell ends", () => {
  // Executed as if it were a program of the container: /proc/self/exe as an entry point.
  for (const each of architectures) {
    using stub = spawnStub(each, { doorbellFd: 9, imageDoorbellFd: 8 });
    assert.equal(stub.wait(), { exited: 1 });
  }
});

test("a stub has one thread", () => {
  using stub = spawnStub(architecture);
  stub.run([getpid]);
  assert.equal(readdirSync(`/proc/${stub.pid}/task`), [`${stub.pid}`]);
});

test("a stub becomes the program that it executes, and answers when it cannot", () => {
  using stub = spawnStub(architecture);
  const execve = (path: string): Record => ({
    number: syscallNumberOn(architecture, "execve"),
    operands: [text(path), { data: quads(0) }, { data: quads(0) }],
  });
  assert.equal(stub.run([execve(`${import.meta.dir}/no-such-program`)]).results, [-errnos.ENOENT]);
  stub.send(encodeBatch([execve("/bin/true")]).bytes);
  assert.equal(stub.wait(), { exited: 0 });
});

test("a stub that may not exit dies of a trap", () => {
  using stub = spawnStub(architecture);
  const [BPF_LD_ABS, BPF_JEQ, BPF_RET] = [0x20, 0x15, 0x06];
  const [SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW] = [0x0005_0000, 0x7fff_0000];
  const instruction = (code: number, jump: number, value: number): bigint =>
    BigInt(code) | (BigInt(jump) << 16n) | (BigInt(value) << 32n);
  // The data of a batch of two records: header 16, results 16, records 144. A length, a pointer, and the filter.
  const filter = quads(
    4,
    areaAddress + 176 + 16,
    instruction(BPF_LD_ABS, 0, 0),
    instruction(BPF_JEQ, 0x0100, syscallNumberOn(architecture, "exit_group")),
    instruction(BPF_RET, 0, SECCOMP_RET_ERRNO | errnos.EPERM),
    instruction(BPF_RET, 0, SECCOMP_RET_ALLOW),
  );
  const answer = stub.run([
    {
      number: syscallNumberOn(architecture, "prctl"),
      operands: [prctlOptions.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0],
    },
    { number: syscallNumberOn(architecture, "seccomp"), operands: [1, 0, { data: filter }] },
  ]);
  assert.equal(answer.results, [0, 0]);
  stub.close();
  const trap = architecture === "x86_64" ? signals.SIGILL : signals.SIGTRAP;
  assert.equal(stub.wait(), { signalled: trap });
});

test.run();
