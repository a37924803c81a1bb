// The arm64 instructions that the stub needs, as functions named after the mnemonics, destination first. Encodings
// follow the Architecture Reference Manual, chapter C6.2.

import { assert } from "../../base/assert.ts";
import { type Instruction, littleEndian, type Place } from "./assembler.ts";

/** Registers by name: as a whole (`x0`), or the lower half (`w0`), a write to which clears the upper one. */
export type Register = `${"x" | "w"}${number}` | "sp";
/** The memory at base + offset, or at base + 2 ** shift * index. */
export type Memory =
  | { readonly base: Register; readonly offset: number }
  | { readonly base: Register; readonly index: Register; readonly shift: 0 | 3 };

/** The memory `offset` bytes after where `base` points. */
export function memory(base: Register, offset: number): Memory {
  return { base, offset };
}

/** The memory `index`, times 2 to the `shift`, bytes after where `base` points. */
export function indexed(base: Register, index: Register, shift: 0 | 3): Memory {
  return { base, index, shift };
}

/** From a register, or from a number that fits 16 bits, or the upper 16 of 32, or is -1. */
export function mov(to: Register, from: Register | number): Instruction {
  if (typeof from === "string") return word(0x2a00_03e0, { sf: to, rd: to, rm: from });
  if (from === -1) return word(0x1280_0000, { sf: to, rd: to });
  const upper = from > 0xffff;
  const part = place(upper ? from / 0x1_0000 : from, { bits: 16, at: 5 });
  return word(0x5280_0000 + part + (upper ? 1 << 21 : 0), { sf: to, rd: to });
}

/** The sum with a number, or with a register times 2 to the `shift`. */
export function add(
  to: Register,
  left: Register,
  right: number | { readonly register: Register; readonly shift: 0 | 3 },
): Instruction {
  if (typeof right === "number") {
    return word(0x1100_0000 + number12(right), { sf: to, rd: to, rn: left });
  }
  const shift = place(right.shift, { bits: 6, at: 10 });
  return word(0x0b00_0000 + shift, { sf: to, rd: to, rn: left, rm: right.register });
}

export function sub(to: Register, left: Register, right: Register | number): Instruction {
  return typeof right === "number"
    ? word(0x5100_0000 + number12(right), { sf: to, rd: to, rn: left })
    : word(0x4b00_0000, { sf: to, rd: to, rn: left, rm: right });
}

/** A subtraction that sets the flags. */
export function subs(to: Register, left: Register, right: number): Instruction {
  return word(0x7100_0000 + number12(right), { sf: to, rd: to, rn: left });
}

/** Sets the flags by left - right. */
export function cmp(left: Register, right: Register | number): Instruction {
  return typeof right === "number"
    ? word(0x7100_001f + number12(right), { sf: left, rn: left })
    : word(0x6b00_001f, { sf: left, rn: left, rm: right });
}

/** Sets the flags by left + right: compares with a negated number. */
export function cmn(left: Register, right: Register | number): Instruction {
  return typeof right === "number"
    ? word(0x3100_001f + number12(right), { sf: left, rn: left })
    : word(0x2b00_001f, { sf: left, rn: left, rm: right });
}

/** Sets the flags by left & mask, for masks of the lowest bits. */
export function tst(left: Register, mask: number): Instruction {
  const ones = Math.log2(mask + 1);
  assert(Number.isInteger(ones) && ones >= 1 && ones < 32, `${mask} is a mask of the lowest bits`);
  assert(left.startsWith("w"), "a half register");
  return word(0x7200_001f + place(ones - 1, { bits: 6, at: 10 }), { rn: left });
}

/** to = left * factor + addend. */
export function madd(
  to: Register,
  left: Register,
  right: { readonly factor: Register; readonly addend: Register },
): Instruction {
  const addend = place(code(right.addend), { bits: 5, at: 10 });
  return word(0x1b00_0000 + addend, { sf: to, rd: to, rn: left, rm: right.factor });
}

/** Shifts right by the number in a register. */
export const lsr = (to: Register, left: Register, by: Register): Instruction =>
  word(0x1ac0_2400, { sf: to, rd: to, rn: left, rm: by });
export const ldr = (to: Register, from: Memory): Instruction => single(0xb940_0000, to, from);
export const str = (from: Register, to: Memory): Instruction => single(0xb900_0000, from, to);
export const ldp = (to: readonly [Register, Register], from: Memory): Instruction =>
  pair(0x2940_0000, to, from);
export const stp = (from: readonly [Register, Register], to: Memory): Instruction =>
  pair(0x2900_0000, from, to);

/** `ldr` from the four bytes at a label, addressed relative to the instruction. */
export const ldrLabelled = (to: Register, label: string): Instruction =>
  branch(0x1800_0000, { label, bits: 19, at: 5, rt: to });
export const b = (label: string): Instruction => branch(0x1400_0000, { label, bits: 26, at: 0 });
export const bl = (label: string): Instruction => branch(0x9400_0000, { label, bits: 26, at: 0 });
export const beq = (label: string): Instruction => conditional(0, label);
export const bne = (label: string): Instruction => conditional(1, label);
/** Unsigned, higher or the same. */
export const bhs = (label: string): Instruction => conditional(2, label);
/** Unsigned, lower. */
export const blo = (label: string): Instruction => conditional(3, label);
/** Not negative. */
export const bpl = (label: string): Instruction => conditional(5, label);
/** Unsigned, higher. */
export const bhi = (label: string): Instruction => conditional(8, label);
/** Signed, less or equal. */
export const ble = (label: string): Instruction => conditional(13, label);
export const cbz = (register: Register, label: string): Instruction =>
  branch(0x3400_0000, { label, bits: 19, at: 5, rt: register, sf: register });
/** Branches if the lowest bit is 0. */
export const tbz0 = (register: Register, label: string): Instruction =>
  branch(0x3600_0000, { label, bits: 14, at: 5, rt: register });
export const ret: Instruction = word(0xd65f_03c0, {});
export const svc: Instruction = word(0xd400_0001, {});
/** The instruction that stops for a debugger. */
export const brk: Instruction = word(0xd420_0000, {});

type Registers = {
  /** Its width is the instruction's. */
  readonly sf?: Register;
  readonly rd?: Register;
  readonly rn?: Register;
  readonly rm?: Register;
};

/** An instruction whose registers are in the usual places. */
function word(opcode: number, { sf, rd, rn, rm }: Registers): Instruction {
  const value =
    opcode +
    (sf !== undefined && isWide(sf) ? 0x8000_0000 : 0) +
    (rd === undefined ? 0 : place(code(rd), { bits: 5, at: 0 })) +
    (rn === undefined ? 0 : place(code(rn), { bits: 5, at: 5 })) +
    (rm === undefined ? 0 : place(code(rm), { bits: 5, at: 16 }));
  return { sizeBytes: 4, encode: () => littleEndian(value, 4) };
}

/** A load or store of one register. */
function single(opcode: number, register: Register, at: Memory): Instruction {
  const wide = isWide(register) ? 0x4000_0000 : 0;
  if ("index" in at) {
    assert(wide !== 0, "an index counts 8 bytes");
    // The same instruction with a register for its offset, LSL by 3 or by nothing.
    const byIndex = opcode - 0x0100_0000 + 0x0020_6800 + (at.shift === 3 ? 0x1000 : 0);
    return word(byIndex + wide, { rd: register, rn: at.base, rm: at.index });
  }
  const offset = place(at.offset / (wide === 0 ? 4 : 8), { bits: 12, at: 10 });
  return word(opcode + wide + offset, { rd: register, rn: at.base });
}

/** A load or store of two registers. */
function pair(opcode: number, [first, second]: readonly [Register, Register], at: Memory) {
  assert(
    "offset" in at && isWide(first) === isWide(second),
    "an offset and registers of one width",
  );
  const offset = place(at.offset / (isWide(first) ? 8 : 4), { bits: 6, at: 15 });
  const other = place(code(second), { bits: 5, at: 10 });
  return word(opcode + offset + other, { sf: first, rd: first, rn: at.base });
}

const conditional = (condition: number, label: string): Instruction =>
  branch(0x5400_0000 + condition, { label, bits: 19, at: 5 });

/** An instruction with the distance to a label, in instructions, in `bits` bits from `at` on. */
function branch(
  opcode: number,
  options: {
    readonly label: string;
    readonly bits: number;
    readonly at: number;
    readonly rt?: Register;
    readonly sf?: Register;
  },
): Instruction {
  const { label, bits, at, rt, sf } = options;
  const encode = (where: Place): readonly number[] => {
    const distance = (where.addressOf(label) - where.address) / 4;
    assert(Math.abs(distance) < 2 ** (bits - 1), `${label} is near enough`);
    const unsigned = distance < 0 ? distance + 2 ** bits : distance;
    const registers = {
      ...(rt === undefined ? {} : { rd: rt }),
      ...(sf === undefined ? {} : { sf }),
    };
    return word(opcode + place(unsigned, { bits, at }), registers).encode(where);
  };
  return { sizeBytes: 4, encode };
}

/** A number of 12 bits, or of 12 bits followed by 12 zeros. */
function number12(value: number): number {
  return value > 0xfff
    ? place(value / 0x1000, { bits: 12, at: 10 }) + (1 << 22)
    : place(value, { bits: 12, at: 10 });
}

/** A field of an instruction: `bits` bits from bit `at` on. Fields do not overlap, so they are added up. */
function place(
  value: number,
  { bits, at }: { readonly bits: number; readonly at: number },
): number {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** bits, `${value} fits ${bits} bits`);
  return value * 2 ** at;
}

/** The number of a register; 31 is `sp` in sums and addresses, and so never comes from a name. */
function code(register: Register): number {
  if (register === "sp") return 31;
  const number = Number(register.slice(1));
  assert(number <= 30, `${register} is a register`);
  return number;
}

function isWide(register: Register): boolean {
  return !register.startsWith("w");
}
