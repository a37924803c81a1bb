// Starts a stub on one end of a socket pair and talks to it, through libc directly; knows no meaning of any record.

import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Architecture } from "../../../src/abi/architecture.ts";
import { architecture as hostArchitecture } from "../../../src/abi/architecture.ts";
import { errnoName, errnos } from "../../../src/abi/errno.ts";
import { assert } from "../../../src/base/assert.ts";
import { defaultDoorbellFd } from "../../../src/init/layout.ts";
import { stubImage } from "../../../src/init/stub/image.ts";
import { withDoorbell } from "../../../src/init/stub/stub-image.ts";
import { type Answer, type Batch, decodeAnswer, encodeBatch, type Record } from "./batch.ts";

export const allArchitectures: readonly Architecture[] = ["x86_64", "aarch64"];

const { i32, i64, u64, pointer } = FFIType;
const { symbols: libc } = dlopen("libc.so.6", {
  // int *__errno_location(void)
  __errno_location: { args: [], returns: pointer },
  // int socketpair(int domain, int type, int protocol, int sv[2])
  socketpair: { args: [i32, i32, i32, pointer], returns: i32 },
  // int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
  setsockopt: { args: [i32, i32, i32, pointer, i32], returns: i32 },
  // ssize_t read(int fd, void *buffer, size_t count)
  read: { args: [i32, pointer, u64], returns: i64 },
  // ssize_t send(int fd, const void *buffer, size_t count, int flags)
  send: { args: [i32, pointer, u64, i32], returns: i64 },
  // ssize_t recv(int fd, void *buffer, size_t count, int flags)
  recv: { args: [i32, pointer, u64, i32], returns: i64 },
  // int shutdown(int fd, int how)
  shutdown: { args: [i32, i32], returns: i32 },
  // int close(int fd)
  close: { args: [i32], returns: i32 },
  // int fcntl(int fd, int command, int value)
  fcntl: { args: [i32, i32, i32], returns: i32 },
  // int ioctl(int fd, unsigned long request, int *value)
  ioctl: { args: [i32, u64, pointer], returns: i32 },
  // int kill(pid_t pid, int signal)
  kill: { args: [i32, i32], returns: i32 },
  // pid_t waitpid(pid_t pid, int *status, int options)
  waitpid: { args: [i32, pointer, i32], returns: i32 },
  // int posix_spawn_file_actions_init(posix_spawn_file_actions_t *)
  posix_spawn_file_actions_init: { args: [pointer], returns: i32 },
  // int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *, int fd, int newfd)
  posix_spawn_file_actions_adddup2: { args: [pointer, i32, i32], returns: i32 },
  // int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *)
  posix_spawn_file_actions_destroy: { args: [pointer], returns: i32 },
  // int posix_spawn(pid_t *, const char *path, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const argv[], char *const envp[])
  posix_spawn: { args: [pointer, pointer, pointer, pointer, pointer, pointer], returns: i32 },
});

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0x8_0000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const MSG_PEEK = 0x2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const F_SETFL = 4;
const O_NONBLOCK = 0x800;
const SIGKILL = 9;
const SIOCOUTQ = 0x5411;
const WNOHANG = 1;

/** Longer than any exchange takes, also on a loaded machine. */
const patienceSeconds = 20;

export type End = { readonly exited: number } | { readonly signalled: number };

export type SpawnOptions = {
  readonly doorbellFd?: number;
  /** The number that the stub believes its doorbell to have; absent: the right one. */
  readonly imageDoorbellFd?: number;
  /** Makes the stub's end of the socket non-blocking. */
  readonly nonBlocking?: boolean;
};

/** What the architecture's stubs run in here; undefined for those that the machine runs by itself. */
export function emulatorOf(architecture: Architecture): string | undefined {
  return architecture === hostArchitecture ? undefined : `/usr/bin/qemu-${architecture}-static`;
}

/** The architectures whose stubs can run here. */
export const architectures = allArchitectures.filter((architecture) => {
  const emulator = emulatorOf(architecture);
  if (emulator === undefined || existsSync(emulator)) return true;
  console.log(`skip: stubs for ${architecture}: ${emulator} is not installed`);
  return false;
});

/** A running stub and our end of its doorbell. Disposing of it kills it. */
export class Stub implements Disposable {
  pid: number;
  readonly #fd: number;
  #open = true;
  #end: End | undefined;

  constructor(pid: number, fd: number) {
    this.pid = pid;
    this.#fd = fd;
  }

  /** After a clone: goes on with the half that was cloned with CLONE_PARENT, once the other one has left. */
  becomeChild(pid: number): void {
    this.wait();
    this.#end = undefined;
    this.pid = pid;
  }

  /** Sends a batch and waits for its answer. */
  run(records: readonly Record[]): Answer {
    const batch = encodeBatch(records);
    this.send(batch.bytes);
    return this.answer(batch);
  }

  answer(batch: Batch): Answer {
    return decodeAnswer(batch, this.receive(batch.answerBytes));
  }

  send(bytes: Uint8Array): void {
    for (let sent = 0; sent < bytes.length; ) {
      const left = bytes.subarray(sent);
      const done = Number(libc.send(this.#fd, ptr(left), left.length, MSG_NOSIGNAL));
      assert(done > 0, `send to the stub: ${errno()}`);
      sent += done;
    }
  }

  receive(sizeBytes: number): Uint8Array {
    const bytes = new Uint8Array(sizeBytes);
    for (let received = 0; received < sizeBytes; ) {
      const room = bytes.subarray(received);
      const done = Number(libc.read(this.#fd, ptr(room), room.length));
      assert(done > 0, `read from the stub: ${done === 0 ? "end of file" : errno()}`);
      received += done;
    }
    return bytes;
  }

  signal(number: number): void {
    libc.kill(this.pid, number);
  }

  /** Sends a signal many times without a pause. */
  storm(number: number, times: number): void {
    for (let count = 0; count < times; count++) this.signal(number);
  }

  /** Processor time spent so far, in ticks of 10 ms. */
  cpuTicks(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  }

  /** Lets the stub read to the end of the file, and us go on reading. */
  shutdown(): void {
    libc.shutdown(this.#fd, SHUT_WR);
  }

  close(): void {
    if (this.#open) libc.close(this.#fd);
    this.#open = false;
  }

  /** Waits for the first byte of an answer: false if the stub ended instead. */
  answers(): boolean {
    return Number(libc.read(this.#fd, ptr(new Uint8Array(1)), 1)) === 1;
  }

  #hasHungUp(): boolean {
    const peeked = libc.recv(this.#fd, ptr(new Uint8Array(1)), 1, MSG_PEEK | MSG_DONTWAIT);
    return Number(peeked) !== 1 && errnoNumber() !== errnos.EAGAIN;
  }

  /** Waits until the stub has taken in all that was sent: false if it ended instead. */
  takesAll(): boolean {
    const deadline = performance.now() + 1000 * patienceSeconds;
    const queued = new Int32Array(1);
    for (;;) {
      assert(libc.ioctl(this.#fd, SIOCOUTQ, ptr(queued)) === 0, "ioctl SIOCOUTQ");
      // The end of a stub empties the queue, too, but hangs up before it does.
      if (queued[0] === 0) return !this.#hasHungUp();
      assert(performance.now() < deadline, "the stub reads or ends");
      Bun.sleepSync(0.1);
    }
  }

  /** Waits until the stub has ended. */
  wait(): End {
    const deadline = performance.now() + 1000 * patienceSeconds;
    while (this.#end === undefined) {
      this.#end = waitFor(this.pid);
      assert(performance.now() < deadline, "the stub ends");
      if (this.#end === undefined) Bun.sleepSync(0.1);
    }
    return this.#end;
  }

  [Symbol.dispose](): void {
    this.close();
    if (this.#end !== undefined) return;
    this.signal(SIGKILL);
    this.wait();
  }
}

/** Starts a stub whose descriptors are 0, 1, 2 and the doorbell. */
export function spawnStub(architecture: Architecture, options: SpawnOptions = {}): Stub {
  const doorbellFd = options.doorbellFd ?? defaultDoorbellFd;
  const fds = new Int32Array(2);
  assert(libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ptr(fds)) === 0, "socketpair");
  const [ours = -1, theirs = -1] = fds;
  const patience = BigInt64Array.of(BigInt(patienceSeconds), 0n);
  for (const name of [SO_RCVTIMEO, SO_SNDTIMEO]) {
    libc.setsockopt(ours, SOL_SOCKET, name, ptr(patience), patience.byteLength);
  }
  if (options.nonBlocking === true) libc.fcntl(theirs, F_SETFL, O_NONBLOCK);
  const actions = new Uint8Array(256);
  libc.posix_spawn_file_actions_init(ptr(actions));
  libc.posix_spawn_file_actions_adddup2(ptr(actions), theirs, doorbellFd);
  const file = stubFile(architecture, options.imageDoorbellFd ?? doorbellFd);
  const emulator = emulatorOf(architecture);
  const argv = emulator === undefined ? [file] : [emulator, file];
  const strings = argv.map((argument) => Buffer.from(`${argument}\0`));
  const pointers = BigUint64Array.from([...strings.map((bytes) => BigInt(ptr(bytes))), 0n]);
  const [path = Buffer.alloc(1)] = strings;
  const pid = new Int32Array(1);
  const noEnvironment = BigUint64Array.of(0n);
  const spawned = libc.posix_spawn(
    ptr(pid),
    ptr(path),
    ptr(actions),
    null,
    ptr(pointers),
    ptr(noEnvironment),
  );
  libc.posix_spawn_file_actions_destroy(ptr(actions));
  libc.close(theirs);
  assert(spawned === 0, `posix_spawn of the stub: errno ${spawned}`);
  return new Stub(pid[0] ?? -1, ours);
}

/** Reaps a child; undefined while it runs. */
function waitFor(pid: number): End | undefined {
  const status = new Int32Array(1);
  const waited = libc.waitpid(pid, ptr(status), WNOHANG);
  if (waited === 0) return undefined;
  assert(waited === pid, `waitpid: ${errno()}`);
  const [value = 0] = status;
  const signal = value & 0x7f;
  return signal === 0 ? { exited: (value >> 8) & 0xff } : { signalled: signal };
}

function errnoNumber(): number {
  const location = libc.__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}

function errno(): string {
  return errnoName(errnoNumber());
}

const files = new Map<string, string>();

/** The path of an executable file with the stub; made once, removed when the process ends. */
function stubFile(architecture: Architecture, doorbellFd: number): string {
  const key = `${architecture} ${doorbellFd}`;
  const known = files.get(key);
  if (known !== undefined) return known;
  const directory = mkdtempSync(join(tmpdir(), "stub-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "stub");
  writeFileSync(file, withDoorbell(stubImage(architecture), doorbellFd));
  chmodSync(file, 0o755);
  files.set(key, file);
  return file;
}
