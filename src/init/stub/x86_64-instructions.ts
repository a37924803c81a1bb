// The x86-64 instructions that the stub needs, as functions named after the mnemonics, destination first as Intel
// writes them. Encodings follow the Software Developer's Manual, volume 2; not always the shortest.

import { assert } from "../../base/assert.ts";
import { type Instruction, littleEndian } from "./assembler.ts";

/** Registers by name: as a whole (`rax`), or the lower half (`eax`), a write to which clears the upper one. */
const registers = {
  ...{ rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7 },
  ...{ r8: 8, r9: 9, r10: 10, r11: 11, r12: 12, r13: 13, r14: 14, r15: 15 },
  ...{ eax: 0, ecx: 1, edx: 2, ebx: 3, esp: 4, ebp: 5, esi: 6, edi: 7 },
  ...{ r8d: 8, r9d: 9, r10d: 10, r11d: 11, r12d: 12, r13d: 13, r14d: 14, r15d: 15 },
};
export type Register = keyof typeof registers;
/** The memory at base + offset + 8 * index. */
export type Memory = {
  readonly base?: Register;
  readonly offset: number;
  readonly index?: Register;
};

/** The memory `offset` bytes after where `base` points, and 8 times `index` further. */
export function memory(base: Register, offset: number, index?: Register): Memory {
  return { base, offset, ...(index === undefined ? {} : { index }) };
}

export function mov(to: Register | Memory, from: Register | Memory | number): Instruction {
  // C7 /0 takes four bytes and extends their sign into a whole register.
  if (typeof from === "number") return encode([0xc7], { rm: to, reg: 0, immediate: dword(from) });
  if (typeof from === "string") return encode([0x89], { rm: to, reg: from });
  assert(typeof to === "string", "memory is not moved to memory");
  return encode([0x8b], { rm: from, reg: to });
}

/** `mov` from the four bytes at a label, addressed relative to the next instruction. */
export function movLabelled(to: "eax" | "ecx" | "edx" | "edi" | "esi", label: string): Instruction {
  const sizeBytes = 6;
  return {
    sizeBytes,
    encode: ({ address, addressOf }) => [
      0x8b,
      (registers[to] << 3) | 5,
      ...dword(addressOf(label) - (address + sizeBytes)),
    ],
  };
}

export const lea = (to: Register, from: Memory): Instruction =>
  encode([0x8d], { rm: from, reg: to });
export const add = (to: Register, from: Register): Instruction =>
  encode([0x01], { rm: to, reg: from });
export const xor = (to: Register, from: Register): Instruction =>
  encode([0x31], { rm: to, reg: from });
export const imul = (to: Register, from: Register, factor: number): Instruction => {
  assert(factor >= -128 && factor <= 127, `${factor} fits 8 signed bits`);
  return encode([0x6b], { rm: from, reg: to, immediate: littleEndian(factor, 1) });
};
export const dec = (to: Register): Instruction => encode([0xff], { rm: to, reg: 1 });

export const sub = (to: Register, from: Register | number): Instruction =>
  typeof from === "number"
    ? encode([0x81], { rm: to, reg: 5, immediate: dword(from) })
    : encode([0x29], { rm: to, reg: from });
/** Compares; the operand is extended from its sign where `left` is a whole register. */
export const cmp = (left: Register, right: Register | number): Instruction =>
  typeof right === "number"
    ? encode([0x81], { rm: left, reg: 7, immediate: dword(right) })
    : encode([0x39], { rm: left, reg: right });
export const test = (left: Register, right: Register | number): Instruction =>
  typeof right === "number"
    ? encode([0xf7], { rm: left, reg: 0, immediate: dword(right) })
    : encode([0x85], { rm: left, reg: right });
/** Copies a bit of memory, numbered by the register, into the carry flag. */
export const bt = (bits: Memory, index: Register): Instruction =>
  encode([0x0f, 0xa3], { rm: bits, reg: index });
export const cmove = (to: Register, from: Memory): Instruction =>
  encode([0x0f, 0x44], { rm: from, reg: to });
/** The 16 bytes of the register `xmm0` from memory. */
export const movupsLoad = (from: Memory): Instruction => encode([0x0f, 0x10], { rm: from, reg: 0 });
/** The 16 bytes of the register `xmm0` to memory. */
export const movupsStore = (to: Memory): Instruction => encode([0x0f, 0x11], { rm: to, reg: 0 });

export const jmp = (label: string): Instruction => branch([0xe9], label);
export const call = (label: string): Instruction => branch([0xe8], label);
export const jb = (label: string): Instruction => branch([0x0f, 0x82], label);
/** Not below; after `bt`, the bit is 0. */
export const jae = (label: string): Instruction => branch([0x0f, 0x83], label);
export const je = (label: string): Instruction => branch([0x0f, 0x84], label);
export const jne = (label: string): Instruction => branch([0x0f, 0x85], label);
export const ja = (label: string): Instruction => branch([0x0f, 0x87], label);
export const jns = (label: string): Instruction => branch([0x0f, 0x89], label);
export const jle = (label: string): Instruction => branch([0x0f, 0x8e], label);

export const ret: Instruction = plain([0xc3]);
export const syscall: Instruction = plain([0x0f, 0x05]);
/** The instruction that is defined to be none. */
export const ud2: Instruction = plain([0x0f, 0x0b]);

function plain(bytes: readonly number[]): Instruction {
  return { sizeBytes: bytes.length, encode: () => bytes };
}

function branch(opcode: readonly number[], label: string): Instruction {
  const sizeBytes = opcode.length + 4;
  return {
    sizeBytes,
    encode: ({ address, addressOf }) => [
      ...opcode,
      ...dword(addressOf(label) - (address + sizeBytes)),
    ],
  };
}

/** An instruction with a ModRM byte: `reg` is a register or the digit that extends the opcode. */
function encode(
  opcode: readonly number[],
  operands: {
    readonly rm: Register | Memory;
    readonly reg: Register | number;
    readonly immediate?: readonly number[];
  },
): Instruction {
  const { rm, reg, immediate = [] } = operands;
  const widths = [rm, reg].filter((operand) => typeof operand === "string").map(isWide);
  assert(new Set(widths).size <= 1, "both registers are whole ones, or neither");
  const regCode = typeof reg === "number" ? reg : registers[reg];
  const base = typeof rm === "string" ? rm : (rm.base ?? "rax");
  const index = typeof rm === "string" ? "rax" : (rm.index ?? "rax");
  const rex =
    0x40 |
    (widths[0] === true ? 8 : 0) |
    ((regCode >> 3) << 2) |
    ((registers[index] >> 3) << 1) |
    (registers[base] >> 3);
  const place =
    typeof rm === "string"
      ? [0xc0 | ((regCode & 7) << 3) | (registers[rm] & 7)]
      : encodeMemory(regCode & 7, rm);
  return plain([...(rex === 0x40 ? [] : [rex]), ...opcode, ...place, ...immediate]);
}

/** ModRM, SIB where there is an index or the base demands one, and an offset of one or four bytes. */
function encodeMemory(reg: number, { base, offset, index }: Memory): number[] {
  assert(
    [base, index].every((name) => name === undefined || isWide(name)),
    "a 64-bit address",
  );
  assert(index !== "rsp", "rsp cannot be an index");
  const indexBits = index === undefined ? 4 << 3 : (3 << 6) | ((registers[index] & 7) << 3);
  if (base === undefined) return [(reg << 3) | 4, indexBits | 5, ...dword(offset)];
  const short = offset >= -128 && offset <= 127;
  const baseCode = registers[base] & 7;
  // As a base, rsp and r12 share their code with "a SIB byte follows".
  const sib = index !== undefined || baseCode === 4;
  return [
    (short ? 0x40 : 0x80) | (reg << 3) | (sib ? 4 : baseCode),
    ...(sib ? [indexBits | baseCode] : []),
    ...(short ? littleEndian(offset, 1) : dword(offset)),
  ];
}

function isWide(register: Register): boolean {
  return register.startsWith("r") && !register.endsWith("d");
}

/** Four bytes of an immediate or an offset, which the processor takes as signed. */
function dword(value: number): number[] {
  assert(value >= -0x8000_0000 && value <= 0x7fff_ffff, `${value} fits 32 signed bits`);
  return littleEndian(value, 4);
}
