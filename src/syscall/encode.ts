// Turns operands into words and the memory they point to; the same code serves FFI and the init stub, at other addresses.
//
// It runs a thousand times before a container starts, in an interpreter that has no time to warm up: typed arrays by
// index instead of DataView, no closures, and no Buffer, which Bun takes 0.2 ms to make when it is first named.

import { assert, present } from "../base/assert.ts";
import type { Operand, ResultOperand } from "./value.ts";

/** A plain operand: everything but the result of an earlier step and the answer, which only a batch can resolve. */
export type PlainOperand = Exclude<Operand, ResultOperand | { kind: "answer" }>;

/** A piece of memory that is filled from its start and whose addresses are known while it is filled. */
export type Arena = {
  bytes: Uint8Array;
  /** The same memory. */
  words: Uint32Array;
  /** The address at which `bytes[0]` will be seen by the kernel. */
  readonly address: number;
  usedBytes: number;
  /**
   * For memory that is filled once: where each text and structure lies that has been written, so that it is written
   * once; such memory starts zeroed and grows. Undefined for memory that is pinned and used again and again: it does
   * not grow, and its user measures first.
   */
  readonly shared: Map<unknown, number> | undefined;
};

/** Makes an arena in zeroed memory whose address is known to the kernel: it stays where it is. */
export function pinnedArena(memory: ArrayBuffer, address: number): Arena {
  const words = new Uint32Array(memory);
  return { bytes: new Uint8Array(memory), words, address, usedBytes: 0, shared: undefined };
}

/** Makes an arena that grows, for memory that the kernel will see elsewhere: at `address` in the init stub. */
export function growingArena(options: {
  readonly address: number;
  /** Bytes at the start that the caller fills itself. */
  readonly usedBytes: number;
  readonly sizeBytes: number;
}): Arena {
  const { address, usedBytes, sizeBytes } = options;
  const memory = new ArrayBuffer(sizeBytes);
  const words = new Uint32Array(memory);
  return { bytes: new Uint8Array(memory), words, address, usedBytes, shared: new Map() };
}

/** Makes room for so many bytes more. */
function ensure(arena: Arena, sizeBytes: number): void {
  const needed = arena.usedBytes + sizeBytes;
  if (needed <= arena.bytes.byteLength) return;
  assert(arena.shared !== undefined, "a call needs more memory than was measured");
  const memory = new ArrayBuffer(align(Math.max(needed, 2 * arena.bytes.byteLength)));
  const bytes = new Uint8Array(memory);
  bytes.set(arena.bytes);
  arena.bytes = bytes;
  arena.words = new Uint32Array(memory);
}

const encoder = new TextEncoder();

/** UTF-8 has at most so many bytes for a UTF-16 unit. */
const bytesPerUnit = 3;

/** Bytes of arena that an operand needs at most, outputs not counted; a multiple of 8. */
export function measureOperand(operand: Operand): number {
  switch (operand.kind) {
    case "text":
      return measureText(operand.value);
    case "bytes":
      return align(operand.value.byteLength);
    case "texts": {
      let sum = 8;
      for (const item of operand.value) sum += 8 + measureText(item);
      return sum;
    }
    case "struct": {
      let sum = align(operand.detail.sizeBytes);
      const values = operand.value;
      for (const name in values) {
        const value = present(values[name], name);
        // Bytes in a structure lie in the field itself; other pointers lie behind the structure.
        if (value.kind !== "bytes") sum += measureOperand(value);
      }
      return sum;
    }
    default:
      return 0;
  }
}

function measureText(value: string): number {
  return align(bytesPerUnit * value.length + 1);
}

/**
 * Writes what the operand points to into the arena and returns the operand's own word.
 * An output's buffer is not in the arena; the caller has placed it and passes its address.
 */
export function encodeOperand(
  arena: Arena,
  operand: PlainOperand,
  outputAddress: number,
): number | bigint {
  switch (operand.kind) {
    case "number":
    case "flags":
      return operand.value;
    case "output":
      return outputAddress;
    case "text":
      return writeText(arena, operand.value);
    case "bytes": {
      const offset = reserve(arena, operand.value.byteLength);
      arena.bytes.set(operand.value, offset);
      return arena.address + offset;
    }
    case "texts": {
      const offset = reserve(arena, 8 * (operand.value.length + 1));
      let at = offset;
      for (const item of operand.value) {
        writeWord(arena, at, writeText(arena, item));
        at += 8;
      }
      return arena.address + offset;
    }
    case "struct":
      return encodeStruct(arena, operand);
  }
}

function encodeStruct(arena: Arena, operand: PlainOperand & { kind: "struct" }): number {
  const { shared } = arena;
  const known = shared?.get(operand);
  if (known !== undefined) return arena.address + known;
  const { value: values, detail: layout } = operand;
  const { fields } = layout;
  const offset = reserve(arena, layout.sizeBytes);
  for (const name in values) {
    const value = present(values[name], name);
    const field = present(fields[name], name);
    const at = offset + field.offset;
    if (value.kind === "bytes") {
      const fits = value.value.byteLength <= field.sizeBytes;
      assert(fits, `${value.value.byteLength} bytes in ${layout.name}.${name}`);
      arena.bytes.set(value.value, at);
      continue;
    }
    const word = encodeOperand(arena, value, 0);
    if (field.sizeBytes === 8) writeWord(arena, at, word);
    else if (field.sizeBytes === 4) arena.words[at >> 2] = Number(word);
    else {
      arena.bytes[at] = Number(word);
      arena.bytes[at + 1] = Number(word) >> 8;
    }
  }
  shared?.set(operand, offset);
  return arena.address + offset;
}

export function writeText(arena: Arena, value: string): number {
  const { shared } = arena;
  const known = shared?.get(value);
  if (known !== undefined) return arena.address + known;
  // As measureText().
  ensure(arena, (bytesPerUnit * value.length + 8) & ~7);
  const offset = arena.usedBytes;
  const { bytes } = arena;
  const { written } = encoder.encodeInto(value, offset === 0 ? bytes : bytes.subarray(offset));
  const end = offset + written;
  // An arena that is used again is not zero here.
  bytes[end] = 0;
  arena.usedBytes = (end + 8) & ~7;
  shared?.set(value, offset);
  return arena.address + offset;
}

/** Takes zeroed bytes from the arena and returns their offset. */
function reserve(arena: Arena, sizeBytes: number): number {
  ensure(arena, align(sizeBytes));
  const offset = arena.usedBytes;
  arena.usedBytes = align(offset + sizeBytes);
  if (arena.shared === undefined) arena.bytes.fill(0, offset, arena.usedBytes);
  return offset;
}

/** Writes a 64-bit little-endian word at a multiple of 4; numbers may be negative, and are exact up to 53 bits. */
export function writeWord(arena: Arena, offset: number, value: number | bigint): void {
  const { words } = arena;
  const index = offset >> 2;
  if (typeof value === "bigint") {
    const wide = BigInt.asUintN(64, value);
    words[index] = Number(wide & 0xffff_ffffn);
    words[index + 1] = Number(wide >> 32n);
    return;
  }
  // A typed array keeps the low 32 bits of what is stored.
  words[index] = value;
  const isSmall = value >= 0 && value <= 0xffff_ffff;
  words[index + 1] = isSmall ? 0 : Math.floor(value / 0x1_0000_0000);
}

function align(sizeBytes: number): number {
  return (sizeBytes + 7) & ~7;
}
