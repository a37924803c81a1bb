// Sequences of system calls that both executors must answer alike, with every constructor of src/syscall in one of them.

import {
  accessModes,
  atFlags,
  fcntlCommands,
  fileTypes,
  lastFd,
  lockOperations,
  memfdFlags,
  openFlags,
  resolveFlags,
} from "../../src/abi/file.ts";
import {
  mountAttributes,
  mountFlags,
  openTreeFlags,
  propagations,
  unmountFlags,
} from "../../src/abi/mount.ts";
import {
  cloneFlags,
  prctlOptions,
  signals,
  waitOptions,
  waitTypes,
} from "../../src/abi/process.ts";
import { schedulingFlags } from "../../src/abi/scheduling.ts";
import {
  eventfdFlags,
  interfaceFlags,
  pollEvents,
  socketFamilies,
  socketTypes,
} from "../../src/abi/socket.ts";
import * as bpfCalls from "../../src/syscall/bpf.ts";
import * as credentialCalls from "../../src/syscall/credentials.ts";
import * as fileCalls from "../../src/syscall/files.ts";
import * as mountCalls from "../../src/syscall/mounts.ts";
import * as processCalls from "../../src/syscall/processes.ts";
import * as schedulingCalls from "../../src/syscall/scheduling.ts";
import * as socketCalls from "../../src/syscall/sockets.ts";
import * as terminalCalls from "../../src/syscall/terminals.ts";
import { slot } from "../../src/syscall/value.ts";
import type { Sequence } from "./steps.ts";

export const covered = new Set<string>();

/** The module, noting which of its constructors are used. */
function noted<T extends object>(module: T): T {
  return new Proxy(module, {
    get: (target, name) => {
      covered.add(String(name));
      return Reflect.get(target, name);
    },
  });
}

export const modules = [
  bpfCalls,
  credentialCalls,
  fileCalls,
  mountCalls,
  processCalls,
  schedulingCalls,
  socketCalls,
  terminalCalls,
];
export const bpf = noted(bpfCalls);
export const credentials = noted(credentialCalls);
export const files = noted(fileCalls);
export const mounts = noted(mountCalls);
export const processes = noted(processCalls);
export const scheduling = noted(schedulingCalls);
export const sockets = noted(socketCalls);
export const terminals = noted(terminalCalls);

/** Room for nothing: the two sides have no memory at the same address. */
const nowhere = { address: 0, sizeBytes: 0 };

/** A directory of each side's own. */
export const own = 300;
/** A directory and a file that both look at. */
export const sharedDirectory = 301;
export const sharedFile = 302;
export const here = `/proc/self/fd/${own}`;

const { O_CLOEXEC, O_CREAT, O_DIRECTORY, O_PATH, O_RDWR } = openFlags;
const { AT_EMPTY_PATH, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW } = atFlags;
const { SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } = socketTypes;
const directory = { flags: O_PATH | O_DIRECTORY | O_CLOEXEC };
const newFile = { flags: O_RDWR | O_CREAT | O_CLOEXEC, mode: 0o600 };
const utf8 = "ü→🙂";

export const cases: Readonly<Record<string, Sequence>> = {
  "opening, writing and reading back": [
    ["file", files.openat(own, utf8, newFile)],
    ["text", files.writeText(slot("file"), utf8)],
    ["bytes", files.write(slot("file"), new Uint8Array([0, 255]))],
    [
      "again",
      files.openat2(own, utf8, { flags: O_CLOEXEC, resolve: resolveFlags.RESOLVE_BENEATH }),
    ],
    ["content", files.read(slot("again"), 64)],
    ["end", files.read(slot("again"), 64)],
    ["outside", files.openat2(own, "..", { flags: O_PATH, resolve: resolveFlags.RESOLVE_BENEATH })],
    ["missing", files.openat(own, "missing", { flags: 0 })],
    ["attribute", files.fsetxattr(slot("file"), "user.no.such.kind", "value")],
    ["sync", files.fsync(slot("file"))],
    ["mode", files.fchmod(slot("file"), 0o640)],
    ["lock", files.flock(slot("file"), lockOperations.LOCK_EX | lockOperations.LOCK_NB)],
    ["locked", files.flock(slot("again"), lockOperations.LOCK_EX | lockOperations.LOCK_NB)],
    ["flags", files.fcntl(slot("file"), fcntlCommands.F_GETFD, 0)],
    ["duplicate", files.dup3(slot("file"), 310, O_CLOEXEC)],
    ["range", files.closeRange(310, 312)],
    ["closed", files.close(310)],
    ["rest", files.closeRange(lastFd - 1, lastFd)],
    ["file closed", files.close(slot("file"))],
    ["again closed", files.close(slot("again"))],
  ],
  "scheduling and memory": [
    [
      "policy",
      scheduling.schedSetattr(0, {
        ...{ policy: "SCHED_BATCH", flags: schedulingFlags.SCHED_FLAG_RESET_ON_FORK, nice: 1 },
        ...{ priority: 0, runtime: 0n, deadline: 0n, period: 0n },
      }),
    ],
    [
      "impossible",
      scheduling.schedSetattr(0, {
        ...{ policy: "SCHED_DEADLINE", flags: 0, nice: -1, priority: 0 },
        ...{ runtime: 3n, deadline: 2n, period: 1n },
      }),
    ],
    ["processors", scheduling.schedSetaffinity(0, new Uint8Array(8).fill(0xff))],
    ["no processor", scheduling.schedSetaffinity(0, new Uint8Array(8))],
    ["priority", scheduling.ioprioSet(0, { class: "IOPRIO_CLASS_BE", priority: 4 })],
    ["bad priority", scheduling.ioprioSet(0, { class: "IOPRIO_CLASS_BE", priority: 9 })],
    ["memory", scheduling.setMempolicy("MPOL_BIND", 0, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]))],
    ["no node", scheduling.setMempolicy("MPOL_BIND", 0, new Uint8Array(0))],
    ["default memory", scheduling.setMempolicy("MPOL_DEFAULT", 0, new Uint8Array(0))],
    ["personality", scheduling.personality("PER_LINUX32")],
    ["personality again", scheduling.personality("PER_LINUX")],
  ],
  "making, naming and removing": [
    ["directory", files.mkdirat(own, "d", 0o755)],
    ["twice", files.mkdirat(own, "d", 0o755)],
    ["fifo", files.mknodat(own, "fifo", { type: fileTypes.S_IFIFO, mode: 0o600 })],
    [
      "device",
      files.mknodat(own, "null", {
        type: fileTypes.S_IFCHR,
        mode: 0o666,
        device: { major: 1, minor: 3 },
      }),
    ],
    ["device number", files.statx(own, "missing", AT_SYMLINK_NOFOLLOW)],
    ["link", files.symlinkat("/nowhere", own, "l")],
    ["target", files.readlinkat(own, "l", 64)],
    ["mode", files.fchmodat(own, "fifo", 0o640)],
    ["owner", files.fchownat(own, "l", { uid: 1, gid: 2, flags: AT_SYMLINK_NOFOLLOW })],
    ["access", files.faccessat2(own, "fifo", { mode: accessModes.X_OK, flags: 0 })],
    ["rename", files.renameat(`${here}/l`, `${here}/m`)],
    ["unlink", files.unlinkat(own, "m")],
    ["not a directory", files.unlinkat(own, "fifo", AT_REMOVEDIR)],
    ["rmdir", files.unlinkat(own, "d", AT_REMOVEDIR)],
  ],
  "looking at what both see": [
    ["stat", files.statx(sharedFile, "", AT_EMPTY_PATH)],
    ["file system", files.fstatfs(sharedFile)],
    ["directory", files.openat(sharedDirectory, ".", { flags: O_DIRECTORY | O_CLOEXEC })],
    ["entries", files.getdents64(slot("directory"), 1024)],
    ["no more", files.getdents64(slot("directory"), 1024)],
    ["closed", files.close(slot("directory"))],
  ],
  "the working directory, the root and the mask": [
    ["enter", files.fchdir(own)],
    ["up", files.chdir("/")],
    ["where", files.getcwd(64)],
    ["too small", files.getcwd(1)],
    ["no root", files.chroot(`${here}/missing`)],
    ["mask", files.umask(0o22)],
    ["mask again", files.umask(0o22)],
  ],
  "types of namespaces": [
    ["namespace", files.openat(own, "/proc/self/ns/net", { flags: O_CLOEXEC })],
    ["type", processes.namespaceType(slot("namespace"))],
    ["no namespace", processes.namespaceType(sharedFile)],
    ["namespace closed", files.close(slot("namespace"))],
  ],
  "files without a name": [
    ["counter", sockets.eventfd(eventfdFlags.EFD_CLOEXEC | eventfdFlags.EFD_NONBLOCK)],
    ["nothing counted", files.read(slot("counter"), 8)],
    ["counter closed", files.close(slot("counter"))],
    ["memory", files.memfdCreate("test", memfdFlags.MFD_CLOEXEC)],
    ["memory closed", files.close(slot("memory"))],
  ],
  "a tmpfs made with the new calls": [
    ["point", files.mkdirat(own, "mount", 0o755)],
    ["context", mounts.fsopen("tmpfs")],
    ["source", mounts.fsconfigString(slot("context"), "source", "none")],
    ["size", mounts.fsconfigString(slot("context"), "size", "64k")],
    ["wrong", mounts.fsconfigString(slot("context"), "no-such-option", "1")],
    ["flag", mounts.fsconfigFlag(slot("context"), "ro")],
    ["create", mounts.fsconfigCreate(slot("context"))],
    ["mount", mounts.fsmount(slot("context"), mountAttributes.MOUNT_ATTR_NOSUID)],
    ["target", files.openat(own, "mount", directory)],
    ["move", mounts.moveMount(slot("mount"), slot("target"))],
    [
      "attributes",
      mounts.mountSetattr(slot("mount"), "", {
        flags: AT_EMPTY_PATH,
        set: mountAttributes.MOUNT_ATTR_NOEXEC,
        propagation: propagations.MS_PRIVATE,
      }),
    ],
    ["read-only", files.mkdirat(slot("mount"), "d", 0o755)],
    ["picked", mounts.fspick(slot("mount"))],
    ["larger", mounts.fsconfigString(slot("picked"), "size", "128k")],
    ["changed", mounts.fsconfigReconfigure(slot("picked"))],
    ["tree", mounts.openTree(slot("mount"), "", AT_EMPTY_PATH | openTreeFlags.OPEN_TREE_CLONE)],
    ["detach", mounts.umount2(`${here}/mount`, unmountFlags.MNT_DETACH)],
    ["nothing there", mounts.umount2(`${here}/mount`, unmountFlags.MNT_DETACH)],
    ...(["context", "mount", "target", "tree", "picked"] as const).map(
      (of) => [`${of} closed`, files.close(slot(of))] as const,
    ),
  ],
  "mounts by name, and the root": [
    ["point", files.mkdirat(own, "old", 0o755)],
    ["mount", mounts.mount("none", `${here}/old`, { type: "tmpfs", flags: 0, data: "size=64k" })],
    ["bind", mounts.mount(`${here}/old`, `${here}/old`, { flags: mountFlags.MS_BIND })],
    ["missing", mounts.mount("none", `${here}/missing`, { flags: mountFlags.MS_BIND })],
    ["unbind", mounts.umount2(`${here}/old`, unmountFlags.MNT_DETACH)],
    ["unmount", mounts.umount2(`${here}/old`, unmountFlags.MNT_DETACH)],
    ["no pivot", mounts.pivotRoot(`${here}/missing`, `${here}/missing`)],
    ["busy pivot", mounts.pivotRoot("/", "/")],
  ],
  "sockets that talk to each other": [
    ["listener", sockets.socket(socketFamilies.AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)],
    ["bind", sockets.bindPath(slot("listener"), `${here}/socket`)],
    ["early", sockets.connectPath(slot("listener"), `${here}/socket`)],
    ["listen", sockets.listen(slot("listener"), 1)],
    ["caller", sockets.socket(socketFamilies.AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)],
    ["connect", sockets.connectPath(slot("caller"), `${here}/socket`)],
    ["nobody", sockets.connectAbstract(slot("caller"), "ts-runc-no-such-name")],
    ["accept", sockets.accept4(slot("listener"), SOCK_CLOEXEC)],
    ["write", files.writeText(slot("accept"), "hello")],
    ["read", files.read(slot("caller"), 16)],
    ["send", sockets.sendWithDescriptor(slot("accept"), "ünß", sharedFile)],
    ["nowhere", sockets.receiveWithDescriptor(slot("caller"), nowhere, nowhere)],
    ["poll", sockets.ppoll(sharedFile, pollEvents.POLLIN, 1500)],
    ["poll none", sockets.ppoll(-1, pollEvents.POLLIN, 0)],
    ["other", sockets.socket(socketFamilies.AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)],
    ["up", sockets.setInterfaceFlags(slot("other"), "lo", interfaceFlags.IFF_UP)],
    ["no device", sockets.setInterfaceFlags(slot("other"), "no-such-name", 0)],
    ...(["listener", "caller", "accept", "other"] as const).map(
      (of) => [`${of} closed`, files.close(slot(of))] as const,
    ),
  ],
  "namespaces that are not entered": [
    ["nothing", processes.unshare(0)],
    ["unknown", processes.unshare(1)],
    ["no descriptor", processes.setns(-1, cloneFlags.CLONE_NEWNS)],
    ["no namespace", processes.setns(sharedFile, 0)],
    // CLONE_NEWNS together with CLONE_FS contradicts itself, so that no child is made.
    ["clone", processes.clone({ flags: cloneFlags.CLONE_NEWNS | 0x200, exitSignal: 0 })],
    ["clone3", processes.cloneIntoCgroup({ flags: 0, exitSignal: 0, cgroupFd: -1 })],
    ["execve", processes.execve("/missing", ["missing", utf8], ["A=b"])],
    ["execve of a directory", processes.execve(here, [], [])],
  ],
  "names of the uts namespace": [
    ["host", processes.sethostname("näme")],
    ["too long", processes.sethostname("x".repeat(65))],
    ["domain", processes.setdomainname("domain.example")],
    ["domain too long", processes.setdomainname("x".repeat(65))],
  ],
  "what a process is": [
    ["name", processes.prctl(prctlOptions.PR_SET_NAME, "ts-runc-test")],
    ["bounding", processes.prctl(prctlOptions.PR_CAPBSET_READ, 0)],
    ["no such capability", processes.prctl(prctlOptions.PR_CAPBSET_READ, 9999)],
    ["limits", processes.prlimitRead(0, "RLIMIT_NOFILE")],
    ["core", processes.prlimit(0, { type: "RLIMIT_CORE", soft: 0, hard: 0 })],
    ["core limits", processes.prlimitRead(0, "RLIMIT_CORE")],
    ["upside down", processes.prlimit(0, { type: "RLIMIT_CPU", soft: 2n ** 64n - 1n, hard: 1 })],
    ["euid", processes.geteuid()],
    ["egid", processes.getegid()],
    ["sleep", processes.nanosleep(1)],
    // Nothing is mapped in the first page.
    ["let a page go", processes.madviseDontNeed(0, 4096)],
    ["handler", processes.rtSigaction(signals.SIGUSR2, { handler: 0 })],
    ["no handler", processes.rtSigaction(signals.SIGKILL, { handler: 0 })],
    ["groups", credentials.setgroups([0, 100])],
    ["no groups", credentials.setgroups([])],
    ["gid", credentials.setresgid(0)],
    ["uid", credentials.setresuid(0)],
    ["too many capabilities", credentials.capset(allCapabilities())],
  ],
  "a pseudoterminal": [
    ["master", files.openat(-100, "/dev/ptmx", { flags: O_RDWR | openFlags.O_NOCTTY })],
    ["unlock", terminals.unlockPeer(slot("master"))],
    ["peer", terminals.openPeer(slot("master"))],
    ["resize", terminals.setWindowSize(slot("master"), { rows: 7, columns: 9 })],
    ["size", terminals.getWindowSize(slot("peer"))],
    ["modes", terminals.getTerminalModes(slot("peer"))],
    ["bad modes", terminals.setTerminalModes(-1, new Uint8Array(36))],
    // A session has one already, or the caller leads none.
    ["control", terminals.setControllingTerminal(sharedFile)],
    ["nothing happened", sockets.ppollAll([{ fd: -1, events: 1 }], 1)],
    ["close the peer", files.close(slot("peer"))],
    ["close the master", files.close(slot("master"))],
  ],
  "other processes": [
    ["there", processes.kill(1, 0)],
    ["not there", processes.kill(2 ** 22 + 1, 0)],
    ["pidfd", processes.pidfdOpen(1)],
    ["signal", processes.pidfdSendSignal(slot("pidfd"), 0)],
    ["closed", files.close(slot("pidfd"))],
    ["no child", processes.waitid(waitTypes.P_PID, 1, waitOptions.WEXITED)],
  ],
  "device programs": [
    // `exit` alone leaves the result open, which the verifier refuses.
    ["refused", bpf.bpfLoadDeviceProgram(Uint8Array.of(0x95, 0, 0, 0, 0, 0, 0, 0))],
    // r0 = 1; exit
    [
      "program",
      bpf.bpfLoadDeviceProgram(Uint8Array.of(0xb4, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)),
    ],
    ["attach", bpf.bpfAttachDeviceProgram(sharedFile, sharedFile)],
    ["detach", bpf.bpfDetachDeviceProgram(sharedFile, sharedFile)],
    ["unknown", bpf.bpfProgramFd(0x7fff_fff0)],
    ["query", bpf.bpfQueryPrograms(0)],
  ],
};

function allCapabilities(): Parameters<typeof credentials.capset>[0] {
  const all = 2n ** 64n - 1n;
  return { effective: all, permitted: 0n, inheritable: 0n };
}

/** Calls that must succeed, so that two equal failures do not pass for a test. */
export const successes: Readonly<Record<string, readonly string[]>> = {
  "opening, writing and reading back": ["file", "text", "again", "content", "lock", "duplicate"],
  "making, naming and removing": ["directory", "device", "target", "owner", "rename", "rmdir"],
  "looking at what both see": ["stat", "file system", "entries"],
  "a tmpfs made with the new calls": ["create", "mount", "move", "attributes", "tree", "detach"],
  "mounts by name, and the root": ["mount", "bind", "unmount"],
  "sockets that talk to each other": ["bind", "listen", "connect", "accept", "read", "poll", "up"],
  "names of the uts namespace": ["host", "domain"],
  "what a process is": ["name", "core", "groups", "uid", "sleep", "handler"],
  "a pseudoterminal": ["unlock", "peer", "resize", "size", "modes", "nothing happened"],
  "other processes": ["there", "pidfd", "signal"],
};
