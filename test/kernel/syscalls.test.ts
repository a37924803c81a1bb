// Every constructor of src/syscall, executed through libc and by the stub: the same results, errnos and outputs. Needs root.
//
// Both work in namespaces of this file's own, each in a directory of its own under the same descriptor number.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errnos } from "../../src/abi/errno.ts";
import { AT_FDCWD, openFlags } from "../../src/abi/file.ts";
import { propagations, unmountFlags } from "../../src/abi/mount.ts";
import { cloneFlags, rlimitResources, waitOptions, waitTypes } from "../../src/abi/process.ts";
import { socketTypes } from "../../src/abi/socket.ts";
import { readField, siginfo } from "../../src/abi/struct.ts";
import { execute, executeForOutput, must } from "../../src/ffi/execute.ts";
import { encodeBatch } from "../../src/init/batch.ts";
import { sendBatch } from "../../src/init/doorbell.ts";
import { step } from "../../src/program/step.ts";
import * as fileCalls from "../../src/syscall/files.ts";
import * as mountCalls from "../../src/syscall/mounts.ts";
import * as processCalls from "../../src/syscall/processes.ts";
import { type Outcome, runHere, type Sequence, StubRunner } from "../support/steps.ts";
import {
  cases,
  covered,
  credentials,
  files,
  here,
  modules,
  own,
  processes,
  sharedDirectory,
  sharedFile,
  sockets,
  successes,
} from "../support/syscall-cases.ts";

const test = suite("kernel/syscalls");
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skip: not root, and these calls need their own namespaces");
const check = isRoot ? test : test.skip;

const { O_CLOEXEC } = openFlags;
const { SOCK_CLOEXEC, SOCK_STREAM } = socketTypes;

/** Calls whose result is a descriptor, which numbers differ between the two. */
const descriptorCalls =
  /^(openat2?|socket|accept4|memfd_create|eventfd2|fsopen|fspick|fsmount|open_tree|pidfd_open|bpf|ioctl)$/;

/** What of the outcome must be the same on both sides. */
function comparable(name: string, { result, output }: Outcome): string {
  const isDescriptor = descriptorCalls.test(name) && result >= 0;
  return `${isDescriptor ? "a descriptor" : result} ${Buffer.from(output).toString("hex")}`;
}

/** Puts this process and what it starts into namespaces and directories of its own. */
function enterOwnPlace(): { readonly stub: StubRunner; readonly temporary: string } {
  const doing = "preparing the test";
  const { CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUTS } = cloneFlags;
  const apart = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS;
  must(processCalls.unshare(apart), doing);
  const slave = { flags: 0x8000, propagation: propagations.MS_PRIVATE };
  must(mountCalls.mountSetattr(AT_FDCWD, "/", slave), doing);
  const temporary = mkdtempSync(join(tmpdir(), "syscalls-"));
  must(mountCalls.mount("none", temporary, { type: "tmpfs", flags: 0 }), doing);
  for (const name of ["here", "stub", "shared"]) {
    must(fileCalls.mkdirat(AT_FDCWD, join(temporary, name), 0o755), doing);
  }
  writeFileSync(join(temporary, "shared/file"), "content");
  putAt(join(temporary, "stub"), 303);
  putAt(join(temporary, "shared"), sharedDirectory);
  putAt(join(temporary, "shared/file"), sharedFile);
  const stub = new StubRunner([
    { from: 303, to: own },
    { from: sharedDirectory, to: sharedDirectory },
    { from: sharedFile, to: sharedFile },
  ]);
  putAt(join(temporary, "here"), own);
  return { stub, temporary };
}

function putAt(path: string, to: number): void {
  const fd = must(fileCalls.openat(AT_FDCWD, path, { flags: O_CLOEXEC }), "preparing the test");
  must(fileCalls.dup3(fd, to, O_CLOEXEC), "preparing the test");
  must(fileCalls.close(fd), "preparing the test");
}

const place = isRoot ? enterOwnPlace() : undefined;

for (const [name, sequence] of Object.entries(cases)) {
  check(`the same through libc and by the stub: ${name}`, () => {
    if (place === undefined) throw new Error("not root");
    const ours = runHere(sequence);
    const theirs = place.stub.run(sequence);
    for (const [slotName, call] of sequence) {
      const [one, other] = [ours.get(slotName), theirs.get(slotName)];
      assert.ok(one !== undefined && other !== undefined, `${slotName} was executed`);
      assert.is(comparable(call.name, other), comparable(call.name, one), `${name}: ${slotName}`);
    }
  });
}

check("what is meant to succeed does, in a fresh directory", () => {
  if (place === undefined) throw new Error("not root");
  must(fileCalls.mkdirat(own, "fresh", 0o755), "preparing the test");
  putAt(`${here}/fresh`, own);
  for (const [name, slots] of Object.entries(successes)) {
    const outcomes = runHere(cases[name] ?? []);
    for (const slotName of slots) {
      assert.ok((outcomes.get(slotName)?.result ?? -1) >= 0, `${name}: ${slotName}`);
    }
  }
});

check("getpid, getppid, setsid, socketpair and pipe2 say on each side what is true there", () => {
  if (place === undefined) throw new Error("not root");
  const { stub } = place;
  const sequence: Sequence = [
    ["pid", processes.getpid()],
    ["parent", processes.getppid()],
    ["session", processes.setsid()],
    ["pair", sockets.socketpair(SOCK_STREAM | SOCK_CLOEXEC)],
    ["pipe", files.pipe2(O_CLOEXEC)],
  ];
  const [ours, theirs] = [runHere(sequence), stub.run(sequence)];
  assert.is(ours.get("pid")?.result, process.pid);
  assert.is(ours.get("parent")?.result, process.ppid);
  assert.is(theirs.get("pid")?.result, stub.pid);
  assert.is(theirs.get("parent")?.result, process.pid);
  assert.is(theirs.get("session")?.result, stub.pid);
  // A process that leads a group already may not.
  assert.ok([process.pid, -errnos.EPERM].includes(ours.get("session")?.result ?? 0));
  for (const outcome of ["pair", "pipe"].flatMap((name) => [ours.get(name), theirs.get(name)])) {
    const bytes = outcome?.output ?? new Uint8Array(8);
    const [one = 0, other = 0] = new Int32Array(bytes.buffer, bytes.byteOffset, 2);
    assert.ok(outcome?.result === 0 && one > 2 && other > one);
  }
});

check("exit_group ends the process with the status, a stub and a runtime alike", () => {
  using stub = new StubRunner([]);
  const exiting = [step("exiting", processes.exitGroup(7))];
  sendBatch(stub.doorbell, encodeBatch(exiting, new Map()));
  const call = processCalls.waitid(
    waitTypes.P_PID,
    stub.pid,
    waitOptions.WEXITED | waitOptions.WNOWAIT,
  );
  assert.is(readField(siginfo, executeForOutput(call).output, "si_status"), 7);
  const script = [
    `import { execute } from "${join(import.meta.dir, "../../src/ffi/execute.ts")}";`,
    `import { exitGroup } from "${join(import.meta.dir, "../../src/syscall/processes.ts")}";`,
    "execute(exitGroup(7));",
  ];
  const child = Bun.spawnSync([process.execPath, "-e", script.join("\n")], { stdin: "ignore" });
  assert.is(child.exitCode, 7);
});

check("capset takes capabilities away from the calling thread, and only those", () => {
  using stub = new StubRunner([]);
  const readSets = (): string =>
    readFileSync(`/proc/${stub.pid}/status`, "utf8")
      .match(/Cap(Inh|Prm|Eff):.*/g)
      ?.join(" ") ?? "";
  const sets = { effective: 0n, permitted: (1n << 21n) | 1n, inheritable: 1n };
  assert.is(stub.run([["set", credentials.capset(sets)]]).get("set")?.result, 0);
  assert.match(readSets(), /CapInh:\s0{15}1 CapPrm:\s0{10}200001 CapEff:\s0{16}/);
});

check("every rlimit of the table can be read", () => {
  for (const type of Object.keys(rlimitResources)) {
    if (!isResource(type)) throw new Error(type);
    assert.is(execute(processCalls.prlimitRead(0, type)), 0, type);
  }
});

function isResource(type: string): type is keyof typeof rlimitResources {
  return Object.hasOwn(rlimitResources, type);
}

test("every constructor of src/syscall is in one of these tests", () => {
  const exported = modules.flatMap((module) => Object.keys(module));
  assert.equal(
    exported.filter((name) => !covered.has(name)),
    [],
    "add the new constructors to a case",
  );
});

test.after(() => {
  if (place === undefined) return;
  place.stub[Symbol.dispose]();
  execute(mountCalls.umount2(place.temporary, unmountFlags.MNT_DETACH));
  rmSync(place.temporary, { recursive: true, force: true });
});

test.run();
