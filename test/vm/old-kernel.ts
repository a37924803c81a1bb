// Runs one command as on an older kernel: newer system calls fail with ENOSYS, by a seccomp filter; nothing else is older.
//
// This file is two things: the function for tests, and the helper process that loads the filter and turns into the
// command. PR_SET_NO_NEW_PRIVS stays unset, since a runtime behaves differently under it; so this needs CAP_SYS_ADMIN.

import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { architecture } from "../../src/abi/architecture.ts";
import { type SyscallName, syscallNumber } from "../../src/abi/syscall-numbers.ts";

const ENOSYS = 38;
const SECCOMP_SET_MODE_FILTER = 1n;
const SECCOMP_RET_ALLOW = 0x7fff0000;
const SECCOMP_RET_ERRNO = 0x00050000;
const AUDIT_ARCH = { x86_64: 0xc000003e, aarch64: 0xc00000b7 };
const BPF_LD_W_ABS = 0x20;
const BPF_JMP_JEQ_K = 0x15;
const BPF_RET_K = 0x06;
const SIGPIPE = 13;
const SIGXFSZ = 25;

/** Says why withoutCalls() cannot work here; undefined if it can. */
export function oldKernelObstacle(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "loading a filter needs root";
}

/**
 * Returns the argv to spawn in place of `argv`: the same command, with the same environment and standard streams, for
 * which and for whose children the named calls fail with ENOSYS. Descriptors above 2 do not get through.
 */
export function withoutCalls(names: readonly SyscallName[], argv: readonly string[]): string[] {
  const numbers = names.map((name) => syscallNumber(name));
  return [process.execPath, import.meta.path, numbers.join(","), ...argv];
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
  const onlyThisAbi = [
    instruction(BPF_LD_W_ABS, 4),
    instruction(BPF_JMP_JEQ_K, AUDIT_ARCH[architecture], numbers.length * 2 + 1),
    instruction(BPF_LD_W_ABS, 0),
  ];
  const refusals = numbers.flatMap((number) => [
    instruction(BPF_JMP_JEQ_K, number, 1),
    instruction(BPF_RET_K, SECCOMP_RET_ERRNO | ENOSYS),
  ]);
  return Buffer.concat([...onlyThisAbi, ...refusals, instruction(BPF_RET_K, SECCOMP_RET_ALLOW)]);
}

/** The helper process. Returns only if it fails. */
function becomeFiltered(numbers: readonly number[], argv: readonly string[]): string {
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
  const filter = filterProgram(numbers);
  const program = new BigUint64Array([BigInt(filter.length / 8), BigInt(ptr(filter))]);
  // Bun ignores these two, and what is ignored stays so through execve.
  for (const signal of [SIGPIPE, SIGXFSZ]) symbols.signal(signal, 0);
  // Safety: the filter is for this thread, the main one, and execve keeps it while the other threads end.
  if (symbols.syscall(syscallNumber("seccomp"), SECCOMP_SET_MODE_FILTER, 0, ptr(program)) !== 0n) {
    return failed("seccomp");
  }
  const strings = argv.map((argument) => Buffer.from(`${argument}\0`));
  const pointers = new BigUint64Array([...strings.map((bytes) => BigInt(ptr(bytes))), 0n]);
  const [file = Buffer.from("\0")] = strings;
  symbols.execvp(ptr(file), ptr(pointers));
  return failed(`execvp "${argv[0]}"`);
}

if (import.meta.main) {
  const [list = "", ...argv] = process.argv.slice(2);
  const numbers = list.split(",").filter(Boolean).map(Number);
  console.error(`old-kernel: ${becomeFiltered(numbers, argv)}`);
  process.exitCode = 127;
}
