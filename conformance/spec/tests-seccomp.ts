// Tests of seccomp, its listener, and the state that is sent to it (config-linux.md).

import { join } from "node:path";
import { type Connection, closeAll, listenAt } from "./descriptors.ts";
import { expect, expectMatch, expectSame, needs } from "./expect.ts";
import { type JsonObject, parseObject, textsOf, valueAt } from "./json.ts";
import { type Container, type Room, readText, type Test, type Tests } from "./room.ts";

const making = { names: ["mkdir", "mkdirat"] };

/** A profile in which everything is allowed but for one rule about making directories. */
function profile(rule: object = {}, more: object = {}): JsonObject {
  const syscalls = [{ ...making, action: "SCMP_ACT_ERRNO", ...rule }];
  return { linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls, ...more } } };
}

/** What making a directory says under a profile. */
function makeUnder(room: Room, change: JsonObject): string {
  return room.probe("mkdir /made 2>&1 && echo made", change);
}

function refuses(rule: object, more: object = {}): Test {
  return (room) => void room.refusesToRun(profile(rule, more));
}

/** What a shell needs, and what a runtime may need before it executes one. */
const usual =
  "accept4 access arch_prctl brk capget capset chdir clone clone3 close close_range connect dup dup2 dup3 epoll_create1 epoll_ctl epoll_pwait execve exit execveat exit_group faccessat faccessat2 fchdir fcntl fstat fstatfs futex getcwd getdents64 getegid geteuid getgid getgroups getpid getppid getrandom getrlimit gettid getuid ioctl kill lseek lstat madvise mmap mprotect mremap munmap nanosleep newfstatat open openat openat2 pipe pipe2 poll ppoll prctl pread64 prlimit64 pselect6 read readlink readlinkat readv recvmsg rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield sendmsg sendto set_robust_list set_tid_address setgid setgroups setresgid setresuid setsid setuid sigaltstack socket stat statfs statx sysinfo tgkill tkill unlink unlinkat umask uname vfork wait4 write writev";

function underDefault(more: object): JsonObject {
  const syscalls = [{ names: usual.split(" "), action: "SCMP_ACT_ALLOW" }];
  return {
    // With it a runtime may load the filter last.
    process: { noNewPrivileges: true },
    linux: { seccomp: { defaultAction: "SCMP_ACT_ERRNO", syscalls, ...more } },
  };
}

const ruleTests: Tests = {
  "seccomp-default": (room) =>
    expectMatch("mkdir", makeUnder(room, underDefault({})), /not permitted/),
  "seccomp-default-errno": (room) =>
    expectMatch("mkdir", makeUnder(room, underDefault({ defaultErrnoRet: 28 })), /No space left/),
  "seccomp-default-errno-not": (room) =>
    void room.refusesToRun({
      linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 1 } },
    }),
  "seccomp-errno-default": (room) =>
    expectMatch("mkdir", makeUnder(room, profile()), /not permitted/),
  "seccomp-flags": (room) => {
    const flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
    expectMatch("mkdir", makeUnder(room, profile({}, { flags })), /not permitted/);
    const pid = room.live({ ...profile({}, { flags }), process: { noNewPrivileges: true } }).pid();
    expectMatch("status", readText(`/proc/${pid}/status`), /^Seccomp:\t2$/m);
  },
  "seccomp-flag-unknown": refuses({}, { flags: ["SECCOMP_FILTER_FLAG_NO_SUCH"] }),
  "seccomp-metadata": refuses({}, { listenerMetadata: "metadata" }),
  "seccomp-names": refuses({ names: [] }),
  "seccomp-action": (room) => {
    expectMatch("mkdir", makeUnder(room, profile()), /not permitted/);
    expectSame("mkdir", makeUnder(room, profile({ names: ["rmdir"] })), "made");
  },
  "seccomp-errno": (room) =>
    expectMatch("mkdir", makeUnder(room, profile({ errnoRet: 28 })), /No space left/),
  "seccomp-errno-not": refuses({ action: "SCMP_ACT_KILL", errnoRet: 1 }),
  "seccomp-args": (room) => {
    // The mode is the second argument of mkdir and the third of mkdirat.
    const rule = (name: string, index: number) => ({
      names: [name],
      action: "SCMP_ACT_ERRNO",
      args: [{ index, value: 0o700, op: "SCMP_CMP_EQ" }],
    });
    const syscalls = [rule("mkdirat", 2), ...(process.arch === "x64" ? [rule("mkdir", 1)] : [])];
    const change = { linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls } } };
    const script =
      "umask 0; mkdir -m 755 /a 2>/dev/null; mkdir /b; umask 077; mkdir /c 2>/dev/null; ls -d /a /b /c 2>/dev/null";
    expectMatch("made", room.probe(script, change), /\/b/);
    const denied = room.probe("mkdir /a 2>&1; ls -d /a 2>/dev/null", {
      linux: {
        seccomp: {
          defaultAction: "SCMP_ACT_ALLOW",
          syscalls: syscalls.map((each) => ({
            ...each,
            args: each.args.map((arg) => ({ ...arg, value: 0o777 })),
          })),
        },
      },
    });
    expectMatch("with the mode of the rule", denied, /not permitted/);
  },
  "seccomp-architecture-unknown": refuses({}, { architectures: ["SCMP_ARCH_NO_SUCH"] }),
  "seccomp-kill": (room) => {
    const output = room.probe("sh -c 'mkdir /made; echo survived'; echo $?", {
      ...profile({ action: "SCMP_ACT_KILL_PROCESS" }),
    });
    expect(!output.includes("survived") || !output.includes("made"), `it says ${output}`);
    expectMatch(
      "the made directory",
      room.probe(
        "mkdir /made; ls -d /made 2>/dev/null; echo end",
        profile({ action: "SCMP_ACT_KILL_PROCESS" }),
      ),
      /^end$/,
    );
  },
};

type Heard = {
  readonly container: Container;
  readonly connection: Connection;
  readonly state: JsonObject;
};

/** Runs a container with an agent that listens, and returns what the agent has been told. */
function hear(
  room: Room,
  at?: { readonly socket: string; readonly take: () => Connection | undefined },
): Heard {
  const socket = at?.socket ?? join(room.directory, `${room.newName()}.sock`);
  const own = at === undefined ? listenAt(socket) : undefined;
  if (own !== undefined) room.defer(own.close);
  const change = profile(
    { action: "SCMP_ACT_NOTIFY" },
    { listenerPath: socket, listenerMetadata: "some metadata" },
  );
  const container = room.live({ ...change, process: { noNewPrivileges: true } });
  const connection = own?.receive() ?? at?.take();
  if (connection === undefined) {
    expect(false, "nobody calls the agent");
    return hear(room, at);
  }
  room.defer(() => closeAll(connection.parts.flatMap(({ descriptors }) => descriptors)));
  const text = connection.parts.map((part) => part.text).join("");
  const state = parseObject(text);
  expect(state !== undefined, `no JSON object: ${JSON.stringify(text)}`);
  return { container, connection, state: state ?? {} };
}

const descriptorsOf = ({ parts }: Connection) => parts.map(({ descriptors }) => descriptors.length);

const listenerTests: Tests = {
  "listener-stream": (room) => void hear(room),
  "listener-one": (room) => {
    const { state } = hear(room);
    expect(valueAt(state, "state", "id") !== undefined, "not one state");
  },
  "listener-closed": (room) => expect(hear(room).connection.closed, "the connection is open"),
  "listener-not-reused": (room) => {
    const socket = join(room.directory, `${room.newName()}.sock`);
    const listener = listenAt(socket);
    room.defer(listener.close);
    const at = { socket, take: () => listener.receive() };
    const ids = [hear(room, at), hear(room, at)].map(({ state }) => valueAt(state, "state", "id"));
    expect(ids[0] !== ids[1], "the same state twice");
  },
  "listener-fails": (room) => {
    const listenerPath = join(room.directory, "no-such.sock");
    const change = profile({ action: "SCMP_ACT_NOTIFY" }, { listenerPath });
    room.refusesToRun({ ...change, process: { noNewPrivileges: true } });
  },
  "listener-ignored": (room) => {
    const listenerPath = join(room.directory, "no-such.sock");
    expectMatch("mkdir", makeUnder(room, profile({}, { listenerPath })), /not permitted/);
  },
  "listener-fd": (room) => {
    const { state, connection } = hear(room);
    expectSame("fds", textsOf(state["fds"]), ["seccompFd"]);
    expectSame(
      "descriptors",
      descriptorsOf(connection).reduce((sum, each) => sum + each, 0),
      1,
    );
  },
  "listener-metadata": (room) =>
    expectSame("metadata", hear(room).state["metadata"], "some metadata"),
  "process-state-json": (room) => {
    const { state } = hear(room);
    const types = ["ociVersion", "metadata"].map((key) => typeof state[key]);
    expectSame("types", types, ["string", "string"]);
  },
  "process-state-rights": (room) => {
    expect(
      descriptorsOf(hear(room).connection).some((count) => count > 0),
      "no descriptor",
    );
  },
  "process-state-first": (room) => {
    const [first, ...others] = descriptorsOf(hear(room).connection);
    expectSame("descriptors of the parts", [first, others.filter((count) => count > 0)], [1, []]);
  },
  "process-state-version": (room) => {
    expectMatch("ociVersion", String(hear(room).state["ociVersion"]), /^(0\.2|1\.\d+)\.\d+/);
  },
  "process-state-pid": (room) => {
    const { container, state } = hear(room);
    expectSame("pid", state["pid"], container.pid());
  },
  "process-state-state": (room) => {
    const { container, state } = hear(room);
    expectSame("id", valueAt(state, "state", "id"), container.id);
    expectSame("bundle", valueAt(state, "state", "bundle"), container.bundle.directory);
  },
};

/** Whether the kernel filters at all. */
function guarded([id, test]: readonly [string, Test]): readonly [string, Test] {
  return [
    id,
    (room) => {
      needs(/^Seccomp:/m.test(readText("/proc/self/status")), "the kernel has no seccomp");
      test(room);
    },
  ];
}

export const seccompTests: Tests = Object.fromEntries(
  Object.entries({ ...ruleTests, ...listenerTests }).map(guarded),
);
