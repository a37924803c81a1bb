// Imitates an older kernel for one command: newer system calls fail with ENOSYS, by a seccomp filter; not for arm64.
//
// This file is two things: the function for tests, and the helper process that loads the filter and turns into the
// command. PR_SET_NO_NEW_PRIVS stays unset, since a runtime behaves differently under it; so this needs CAP_SYS_ADMIN.

import { dlopen, FFIType, ptr, read } from "bun:ffi";

/** The numbers on x86-64 of the calls that came late enough to be missing somewhere. */
export const syscallNumbers: ReadonlyMap<string, number> = new Map([
  ["memfd_create", 319], // Linux 3.17
  ["execveat", 322], // 3.19
  ["statx", 332], // 4.11
  ["pidfd_send_signal", 424], // 5.1
  ["open_tree", 428], // 5.2, as the next five
  ["move_mount", 429],
  ["fsopen", 430],
  ["fsconfig", 431],
  ["fsmount", 432],
  ["fspick", 433],
  ["pidfd_open", 434], // 5.3
  ["clone3", 435], // 5.3
  ["close_range", 436], // 5.9
  ["openat2", 437], // 5.6
  ["pidfd_getfd", 438], // 5.6
  ["faccessat2", 439], // 5.8
  ["mount_setattr", 442], // 5.12
  ["fchmodat2", 452], // 6.6
]);

const ENOSYS = 38;
const SYS_seccomp = 317n;
const SECCOMP_SET_MODE_FILTER = 1n;
const SECCOMP_RET_ALLOW = 0x7fff0000;
const SECCOMP_RET_ERRNO = 0x00050000;
const AUDIT_ARCH_X86_64 = 0xc000003e;
const BPF_LD_W_ABS = 0x20;
const BPF_JMP_JEQ_K = 0x15;
const BPF_RET_K = 0x06;
const SIGPIPE = 13;
const SIGXFSZ = 25;

/** Says why withoutCalls() cannot work here; undefined if it can. */
export function oldKernelObstacle(): string | undefined {
  if (process.arch !== "x64") return `the filter is for x86-64, this host is ${process.arch}`;
  return process.getuid?.() === 0 ? undefined : "loading a filter needs root";
}

/**
 * Returns the argv to spawn in place of `argv`: the same command, with the same environment and standard streams, for
 * which and for whose children the named calls fail with ENOSYS. Descriptors above 2 do not get through.
 */
export function withoutCalls(names: readonly string[], argv: readonly string[]): string[] {
  names.forEach(numberOf);
  return [process.execPath, import.meta.path, names.join(","), ...argv];
}

function numberOf(name: string): number {
  const number = syscallNumbers.get(name);
  if (number === undefined) throw new Error(`no number is known for the system call "${name}"`);
  return number;
}

/** The classic BPF program, as an array of `struct sock_filter`; see seccomp(2). */
function filterProgram(numbers: readonly number[]): Buffer {
  const instruction = (code: number, k: number, jumpIfFalse = 0): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt8(jumpIfFalse, 3);
    bytes.writeUInt32LE(k, 4);
    return bytes;
  };
  // offsetof(struct seccomp_data, arch) and nr. Other ABIs number their calls differently and are let through.
  const onlyX8664 = [
    instruction(BPF_LD_W_ABS, 4),
    instruction(BPF_JMP_JEQ_K, AUDIT_ARCH_X86_64, numbers.length * 2 + 1),
    instruction(BPF_LD_W_ABS, 0),
  ];
  const refusals = numbers.flatMap((number) => [
    instruction(BPF_JMP_JEQ_K, number, 1),
    instruction(BPF_RET_K, SECCOMP_RET_ERRNO | ENOSYS),
  ]);
  return Buffer.concat([...onlyX8664, ...refusals, instruction(BPF_RET_K, SECCOMP_RET_ALLOW)]);
}

/** The helper process. Returns only if it fails. */
function becomeFiltered(names: readonly string[], argv: readonly string[]): string {
  const { symbols } = dlopen("libc.so.6", {
    // long syscall(long number, ...)
    syscall: {
      args: [FFIType.i64, FFIType.u64, FFIType.u64, FFIType.ptr],
      returns: FFIType.i64,
    },
    // sighandler_t signal(int signum, sighandler_t handler)
    signal: { args: [FFIType.i32, FFIType.u64], returns: FFIType.u64 },
    // int execvp(const char *file, char *const argv[])
    execvp: { args: [FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
    // int *__errno_location(void)
    __errno_location: { args: [], returns: FFIType.ptr },
  });
  const failed = (call: string): string => {
    const location = symbols.__errno_location();
    return `${call}: errno ${location === null ? "unknown" : read.i32(location, 0)}`;
  };
  // struct sock_fprog. Both buffers are referenced until the end of this function.
  const filter = filterProgram(names.map(numberOf));
  const program = new BigUint64Array([BigInt(filter.length / 8), BigInt(ptr(filter))]);
  // Bun ignores these two, and what is ignored stays so through execve.
  for (const signal of [SIGPIPE, SIGXFSZ]) symbols.signal(signal, 0);
  // Safety: the filter is for this thread, the main one, and execve keeps it while the other threads end.
  if (symbols.syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, ptr(program)) !== 0n) {
    return failed("seccomp");
  }
  const strings = argv.map((argument) => Buffer.from(`${argument}\0`));
  const pointers = new BigUint64Array([...strings.map((bytes) => BigInt(ptr(bytes))), 0n]);
  const [file = Buffer.from("\0")] = strings;
  symbols.execvp(ptr(file), ptr(pointers));
  return failed(`execvp "${argv[0]}"`);
}

if (import.meta.main) {
  const [names = "", ...argv] = process.argv.slice(2);
  console.error(`old-kernel: ${becomeFiltered(names.split(",").filter(Boolean), argv)}`);
  process.exitCode = 127;
}
