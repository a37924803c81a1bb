// A program for containers that makes system calls, whichever they are, and tells what each has returned; x86-64 only.

import { writeFileSync } from "node:fs";
import { littleEndian } from "../../src/init/stub/assembler.ts";
import { elfExecutable } from "../../src/init/stub/elf.ts";

export type ProbedCall = {
  readonly number: number;
  readonly args?: readonly (number | bigint)[];
  /** How it is made: with `i386` by the interrupt of 32-bit programs. */
  readonly abi?: "x86_64" | "i386";
};

/** The instructions that load an argument register, without their 8 bytes of operand: rdi, rsi, rdx, r10, r8, r9. */
const x86_64Loads = [
  [0x48, 0xbf],
  [0x48, 0xbe],
  [0x48, 0xba],
  [0x49, 0xba],
  [0x49, 0xb8],
  [0x49, 0xb9],
];
/** The same for rbx, rcx, rdx, rsi, rdi, rbp. */
const i386Loads = [
  [0x48, 0xbb],
  [0x48, 0xb9],
  [0x48, 0xba],
  [0x48, 0xbe],
  [0x48, 0xbf],
  [0x48, 0xbd],
];
const loadRax = [0x48, 0xb8];
const syscall = [0x0f, 0x05];
const interrupt = [0xcd, 0x80];

/** Writes the program: it makes the calls, writes their results to its standard output, and exits with 0. */
export function writeProbe(path: string, calls: readonly ProbedCall[]): void {
  const resultsBytes = 8 * calls.length;
  const written: ProbedCall = { number: 1, args: [1, 0, resultsBytes] };
  const code = [
    // sub rsp, size
    ...[0x48, 0x81, 0xec, ...littleEndian((resultsBytes + 15) & ~15, 4)],
    ...calls.flatMap((call, index) => [
      ...make(call),
      // mov [rsp + 8 * index], rax
      ...[0x48, 0x89, 0x84, 0x24, ...littleEndian(8 * index, 4)],
    ]),
    ...loadOperands(written),
    // mov rsi, rsp
    ...[0x48, 0x89, 0xe6],
    ...syscall,
    ...make({ number: 231, args: [0] }),
  ];
  writeFileSync(path, elfExecutable("x86_64", code), { mode: 0o755 });
}

function make(call: ProbedCall): readonly number[] {
  return [...loadOperands(call), ...(call.abi === "i386" ? interrupt : syscall)];
}

function loadOperands({ number, args = [], abi }: ProbedCall): readonly number[] {
  const loads = abi === "i386" ? i386Loads : x86_64Loads;
  return [
    ...args.flatMap((value, index) => [...(loads[index] ?? []), ...word(value)]),
    ...loadRax,
    ...word(number),
  ];
}

function word(value: number | bigint): readonly number[] {
  return [...new Uint8Array(new BigInt64Array([BigInt.asIntN(64, BigInt(value))]).buffer)];
}

/** What the program has written, as numbers: negative ones are errors. */
export function probeResults(output: Uint8Array): readonly number[] {
  const whole = output.slice(0, output.byteLength - (output.byteLength % 8));
  return [...new BigInt64Array(whole.buffer)].map(Number);
}
