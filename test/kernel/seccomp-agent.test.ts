// SCMP_ACT_NOTIFY: an agent that is asked about system calls, beside the real runc: what it is told, when, and by whom. Needs root.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { classicBpf, seccompReturns } from "../../src/abi/seccomp.ts";
import { pollEvents } from "../../src/abi/socket.ts";
import { executeForOutput, must } from "../../src/ffi/execute.ts";
import type { OwnedFd } from "../../src/host/files.ts";
import type { SeccompRule } from "../../src/spec/seccomp.ts";
import { ppoll } from "../../src/syscall/sockets.ts";
import { bytes, call, number, outputOperand } from "../../src/syscall/value.ts";
import { runc } from "../cli/executable.ts";
import { listenAt, receiveDescriptor } from "../support/descriptor-socket.ts";
import { openRoom, type RuntimeName, slowness } from "../support/room.ts";
import { permissive } from "../support/seccomp-profile.ts";

const test = suite("kernel/seccomp-agent");
const room = openRoom("seccomp-agent");
const runtimes: readonly RuntimeName[] = runc === undefined ? ["ts-runc"] : ["ts-runc", "runc"];
if (runc === undefined) console.log("skip: there is no runc to compare with");

// struct seccomp_notif { u64 id; u32 pid; u32 flags; struct seccomp_data data; } and seccomp_notif_resp.
const SECCOMP_IOCTL_NOTIF_RECV = 0xc050_2100;
const SECCOMP_IOCTL_NOTIF_SEND = 0xc018_2101;
const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;
const notificationBytes = 80;

type Answer = { readonly errno: number } | "continue";

/** Waits for a question and answers it; undefined when nobody asks for a while. */
function answerOne(listener: OwnedFd, answer: Answer): { pid: number; call: number } | undefined {
  const { POLLIN } = pollEvents;
  if (must(ppoll(listener.fd, POLLIN, 10_000 * slowness), "waiting for a question") === 0) return;
  const { result, output } = executeForOutput(
    call(
      "ioctl",
      number(listener.fd),
      number(SECCOMP_IOCTL_NOTIF_RECV),
      outputOperand(notificationBytes),
    ),
  );
  if (result < 0) return undefined;
  const asked = new DataView(output.buffer, output.byteOffset);
  const response = new DataView(new ArrayBuffer(24));
  response.setBigUint64(0, asked.getBigUint64(0, true), true);
  if (answer === "continue") response.setUint32(20, SECCOMP_USER_NOTIF_FLAG_CONTINUE, true);
  else response.setInt32(16, -answer.errno, true);
  must(
    call(
      "ioctl",
      number(listener.fd),
      number(SECCOMP_IOCTL_NOTIF_SEND),
      bytes(new Uint8Array(response.buffer)),
    ),
    "answering",
  );
  return { pid: asked.getUint32(8, true), call: asked.getInt32(16, true) };
}

let sockets = 0;
function newSocket(): { readonly path: string; readonly listener: OwnedFd } {
  sockets += 1;
  const path = join(room.directory, `agent${sockets}`);
  return { path, listener: listenAt(path) };
}

function profile(listenerPath: string, ...names: readonly string[]): object {
  const rule: SeccompRule = { names, action: "SCMP_ACT_NOTIFY" };
  return { ...permissive(rule), listenerPath, listenerMetadata: "about: ü" };
}

function start(argv: readonly string[]) {
  return Bun.spawn([...argv], { stdio: ["ignore", "ignore", "ignore"] });
}

/** What is not the same in two runs, by a word. */
function neutral(text: string, words: Readonly<Record<string, string>>): unknown {
  let result = text;
  for (const [word, name] of Object.entries(words)) result = result.replaceAll(word, name);
  const { ociVersion: _, state, pid, ...rest } = JSON.parse(result);
  const { ociVersion: __, pid: initPid, ...container } = state;
  return {
    ...rest,
    isInit: pid === initPid,
    state: container,
    keys: Object.keys(JSON.parse(text)),
  };
}

/** Takes a container through create, start and exec with an agent, and returns what that was told. */
async function takeThrough(of: RuntimeName, annotations: object) {
  const { path, listener } = newSocket();
  using _ = listener;
  const bundle = room.makeBundle({
    process: { args: ["sh", "-c", "mkdir /tmp/a; exec sleep 1000"], noNewPrivileges: true },
    annotations,
    linux: { seccomp: profile(path, "mkdir") },
  });
  const id = room.newId();
  const words = { [bundle.directory]: "BUNDLE", [id]: "ID" };
  const create = start(room.commandOf(of, "create", "--bundle", bundle.directory, id));
  const made = receiveDescriptor(listener);
  using first = made.descriptor;
  assert.is(await create.exited, 0);
  const { pid } = JSON.parse(room.runtime(of, ["state", id]).stdout);
  assert.is(JSON.parse(made.text).pid, pid);
  const starting = start(room.commandOf(of, "start", id));
  assert.is(answerOne(first, { errno: 18 })?.call, 83);
  assert.is(await starting.exited, 0);
  const exec = start(room.commandOf(of, "exec", id, "mkdir", "/tmp/b"));
  const joined = receiveDescriptor(listener);
  using second = joined.descriptor;
  const asked = answerOne(second, "continue");
  assert.is(asked?.pid, JSON.parse(joined.text).pid);
  assert.is(await exec.exited, 0);
  assert.equal(readdirSync(join(bundle.rootfs, "tmp")), ["b"]);
  assert.is(room.runtime(of, ["delete", "--force", id]).status, 0);
  return [neutral(made.text, words), neutral(joined.text, words)];
}

test("an agent is told who asks, as by runc, by create and by exec, and its answers count", async () => {
  for (const annotations of [{}, { "org.example": "ä <b>" }]) {
    const told = [];
    for (const of of runtimes) told.push(await takeThrough(of, annotations));
    const [ours, theirs = ours] = told;
    assert.equal(ours, theirs);
    const [create, exec] = ours ?? [];
    const some = Object.keys(annotations).length === 0 ? {} : { annotations };
    const keys = ["ociVersion", "fds", "pid", "metadata", "state"];
    const told1 = (status: string, isInit: boolean) => ({
      ...{ fds: ["seccompFd"], metadata: "about: ü", isInit },
      state: { id: "ID", status, bundle: "BUNDLE", ...some },
      keys,
    });
    assert.equal(create, told1("creating", true));
    assert.equal(exec, told1("running", false));
  }
});

/** The descriptors of a process that are listeners. */
function listenersOf(pid: number): readonly string[] {
  const at = `/proc/${pid}/fd`;
  return readdirSync(at).filter((fd) => readlinkSync(join(at, fd)).includes("seccomp"));
}

for (const noNewPrivileges of [true, false]) {
  test(`nobody but the agent has the listener, no_new_privs ${noNewPrivileges}, standard streams closed`, async () => {
    const { path, listener } = newSocket();
    using _ = listener;
    const set = ["CAP_KILL"];
    const bundle = room.makeBundle({
      process: {
        args: ["sleep", "1000"],
        noNewPrivileges,
        capabilities: { bounding: set, effective: set, permitted: set },
      },
      // Calls that the stub makes itself once the filter is there.
      linux: { seccomp: profile(path, "accept4", "close", "execve", "capset") },
    });
    const id = room.newId();
    const script = `exec ${room.command("create", "--bundle", bundle.directory, id).join(" ")} <&- >&-`;
    const create = start(["sh", "-c", script]);
    using asking = receiveDescriptor(listener).descriptor;
    const closing = answerOne(asking, "continue");
    assert.is(closing?.call, 3);
    if (!noNewPrivileges) assert.is(answerOne(asking, "continue")?.call, 126);
    assert.is(await create.exited, 0);
    assert.is(answerOne(asking, "continue")?.call, 288);
    const { pid = 0 } = room.state(id) ?? {};
    assert.equal(listenersOf(pid), []);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    assert.match(status, /^CapPrm:\t0000000000000020$/m);
    const starting = start(room.command("start", id));
    for (let next = answerOne(asking, "continue"); next?.call !== 59; ) {
      next = answerOne(asking, "continue");
      assert.ok(next !== undefined);
    }
    assert.is(await starting.exited, 0);
    assert.equal(listenersOf(pid), []);
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  });
}

test("run hands the listener over before the program runs", async () => {
  const { path, listener } = newSocket();
  using _ = listener;
  const bundle = room.makeBundle({
    process: { args: ["mkdir", "/tmp/a"], noNewPrivileges: true },
    linux: { seccomp: profile(path, "mkdir") },
  });
  const child = start(room.command("run", "--bundle", bundle.directory, room.newId()));
  using asking = receiveDescriptor(listener).descriptor;
  answerOne(asking, { errno: 28 });
  assert.is(await child.exited, 1);
});

/** Has one call answered by the agent, and lets the others through. */
function rawAsking(call: number): string {
  const view = new DataView(new ArrayBuffer(32));
  const lines = [
    [classicBpf.LD_ABS, 0, 0],
    [classicBpf.JEQ, 0x0100, call],
    [classicBpf.RET_K, 0, seccompReturns.SECCOMP_RET_USER_NOTIF],
    [classicBpf.RET_K, 0, seccompReturns.SECCOMP_RET_ALLOW],
  ] as const;
  lines.forEach(([code, jumps, k], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint16(index * 8 + 2, jumps, true);
    view.setUint32(index * 8 + 4, k, true);
  });
  return new Uint8Array(view.buffer).toBase64();
}

test("a filter of run.oci.seccomp_bpf_data asks the agent of linux.seccomp, but not about write", async () => {
  const { path, listener } = newSocket();
  using _ = listener;
  const seccomp = { ...permissive(), listenerPath: path };
  const process = { args: ["mkdir", "/tmp/a"], noNewPrivileges: true };
  const bundle = (call: number): string =>
    room.makeBundle({
      process,
      linux: { seccomp },
      annotations: { "run.oci.seccomp_bpf_data": rawAsking(call) },
    }).directory;
  const child = start(room.command("run", "--bundle", bundle(83), room.newId()));
  using asking = receiveDescriptor(listener).descriptor;
  assert.is(answerOne(asking, { errno: 28 })?.call, 83);
  assert.is(await child.exited, 1);
  const { status, stderr } = room.tsRunc(["run", "--bundle", bundle(1), room.newId()]);
  assert.is(status, 1);
  assert.match(stderr, /has to let write through/);
});

test("an agent that is not there, or closes at once, is an error of create, and nothing is left", async () => {
  for (const seccomp of [
    profile(join(room.directory, "nobody"), "mkdir"),
    profile(`/${"x".repeat(200)}`, "mkdir"),
  ]) {
    const bundle = room.makeBundle({ process: { noNewPrivileges: true }, linux: { seccomp } });
    for (const command of ["create", "run"]) {
      const id = room.newId();
      const { status, stderr } = room.tsRunc([command, "--bundle", bundle.directory, id]);
      assert.is(status, 1);
      assert.match(
        stderr,
        /failed to connect with seccomp agent specified in the seccomp profile \/.*(no such file|at most)/,
      );
      assert.is(room.state(id), undefined);
    }
  }
});

test("a profile with an agent that forbids what init needs is refused by name", async () => {
  const { path, listener } = newSocket();
  using _ = listener;
  const denied: SeccompRule = { names: ["accept4"], action: "SCMP_ACT_ERRNO" };
  const asked: SeccompRule = { names: ["mkdir"], action: "SCMP_ACT_NOTIFY" };
  const seccomp = { ...permissive(denied, asked), listenerPath: path };
  const bundle = room.makeBundle({ linux: { seccomp } });
  const { status, stderr } = room.tsRunc(["create", "--bundle", bundle.directory, room.newId()]);
  assert.is(status, 1);
  assert.match(stderr, /SCMP_ACT_NOTIFY has to let accept4 through/);
});

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
