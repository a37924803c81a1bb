// The numbers of the system calls that ts-runc makes, for each architecture; checked against the kernel's headers by a test.

import { type Architecture, architecture } from "./architecture.ts";

// One flat list, not an object of objects: the engine makes a list of constants by copying it, and an object property by
// property, which for so many takes as long as a dozen system calls, at every start.
// biome-ignore format: a row is a call: its name, its number on x86-64, its number on arm64
const rows = [
  "accept4", 288, 242,
  "bind", 49, 200,
  "bpf", 321, 280,
  "capget", 125, 90,
  "capset", 126, 91,
  "chdir", 80, 49,
  "chroot", 161, 51,
  "clock_gettime", 228, 113,
  "clone", 56, 220,
  "clone3", 435, 435,
  "close", 3, 57,
  "close_range", 436, 436,
  "connect", 42, 203,
  "copy_file_range", 326, 285,
  "dup3", 292, 24,
  "eventfd2", 290, 19,
  "execve", 59, 221,
  "execveat", 322, 281,
  "exit", 60, 93,
  "exit_group", 231, 94,
  "faccessat2", 439, 439,
  "fallocate", 285, 47,
  "fchdir", 81, 50,
  "fchmod", 91, 52,
  "fchmodat", 268, 53,
  "fchmodat2", 452, 452,
  "fchown", 93, 55,
  "fchownat", 260, 54,
  "fcntl", 72, 25,
  "fdatasync", 75, 83,
  "flock", 73, 32,
  "fsconfig", 431, 431,
  "fsetxattr", 190, 7,
  "fsmount", 432, 432,
  "fsopen", 430, 430,
  "fspick", 433, 433,
  "fstat", 5, 80,
  "fstatfs", 138, 44,
  "fsync", 74, 82,
  "ftruncate", 77, 46,
  "getcwd", 79, 17,
  "getdents64", 217, 61,
  "getegid", 108, 177,
  "geteuid", 107, 175,
  "getgid", 104, 176,
  "getgroups", 115, 158,
  "getpid", 39, 172,
  "getppid", 110, 173,
  "getrandom", 318, 278,
  "getresgid", 120, 150,
  "getresuid", 118, 148,
  "getsid", 124, 156,
  "getsockopt", 55, 209,
  "gettid", 186, 178,
  "getuid", 102, 174,
  "inotify_add_watch", 254, 27,
  "inotify_init1", 294, 26,
  "ioctl", 16, 29,
  "ioprio_set", 251, 30,
  "keyctl", 250, 219,
  "kill", 62, 129,
  "linkat", 265, 37,
  "listen", 50, 201,
  "lseek", 8, 62,
  "madvise", 28, 233,
  "memfd_create", 319, 279,
  "mkdirat", 258, 34,
  "mknodat", 259, 33,
  "mmap", 9, 222,
  "mount", 165, 40,
  "mount_setattr", 442, 442,
  "move_mount", 429, 429,
  "mprotect", 10, 226,
  "munmap", 11, 215,
  "nanosleep", 35, 101,
  "newfstatat", 262, 79,
  "open_tree", 428, 428,
  "open_tree_attr", 467, 467,
  "openat", 257, 56,
  "openat2", 437, 437,
  "personality", 135, 92,
  "pidfd_getfd", 438, 438,
  "pidfd_open", 434, 434,
  "pidfd_send_signal", 424, 424,
  "pipe2", 293, 59,
  "pivot_root", 155, 41,
  "ppoll", 271, 73,
  "prctl", 157, 167,
  "pread64", 17, 67,
  "prlimit64", 302, 261,
  "pwrite64", 18, 68,
  "read", 0, 63,
  "readlinkat", 267, 78,
  "recvfrom", 45, 207,
  "recvmsg", 47, 212,
  "renameat2", 316, 276,
  "rt_sigaction", 13, 134,
  "rt_sigprocmask", 14, 135,
  "sched_setaffinity", 203, 122,
  "sched_setattr", 314, 274,
  "seccomp", 317, 277,
  "sendfile", 40, 71,
  "sendmsg", 46, 211,
  "sendto", 44, 206,
  "set_mempolicy", 238, 237,
  "setdomainname", 171, 162,
  "setgid", 106, 144,
  "setgroups", 116, 159,
  "sethostname", 170, 161,
  "setns", 308, 268,
  "setpgid", 109, 154,
  "setresgid", 119, 149,
  "setresuid", 117, 147,
  "setsid", 112, 157,
  "setsockopt", 54, 208,
  "setuid", 105, 146,
  "shutdown", 48, 210,
  "signalfd4", 289, 74,
  "socket", 41, 198,
  "socketpair", 53, 199,
  "statfs", 137, 43,
  "statmount", 457, 457,
  "statx", 332, 291,
  "symlinkat", 266, 36,
  "tgkill", 234, 131,
  "umask", 95, 166,
  "umount2", 166, 39,
  "uname", 63, 160,
  "unlinkat", 263, 35,
  "unshare", 272, 97,
  "utimensat", 280, 88,
  "wait4", 61, 260,
  "waitid", 247, 95,
  "write", 1, 64,
  "writev", 20, 66,
] as const;

/** The name of a system call, as on its man page but for the raw names the kernel uses (`newfstatat`, `prlimit64`). */
export type SyscallName = Extract<(typeof rows)[number], string>;

/** Where a row has the number of an architecture. */
const columns = { x86_64: 1, aarch64: 2 } as const;

/** The numbers of this machine that have been asked for. */
const numbers = new Map<SyscallName, number>();

/** The number of a system call on this machine. */
export function syscallNumber(name: SyscallName): number {
  let number = numbers.get(name);
  if (number === undefined) {
    number = syscallNumberOn(architecture, name);
    numbers.set(name, number);
  }
  return number;
}

/** The number of a system call on an architecture. */
export function syscallNumberOn(which: Architecture, name: SyscallName): number {
  return Number(rows[rows.indexOf(name) + columns[which]]);
}

/** All system calls that have a number here. */
export function syscallNames(): readonly SyscallName[] {
  return rows.filter((cell) => typeof cell === "string");
}
