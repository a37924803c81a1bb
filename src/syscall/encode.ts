// Turns operands into words and the memory they point to; the same code serves FFI and the init stub, at other addresses.

import { present } from "../base/assert.ts";
import type { Operand, ResultOperand } from "./value.ts";

/** A plain operand: everything but the result of an earlier step and the answer, which only a batch can resolve. */
export type PlainOperand = Exclude<Operand, ResultOperand | { kind: "answer" }>;

/**
 * A piece of memory that is filled from its start and whose addresses are known while it is filled.
 * It does not grow: callers measure first (`measureOperand`).
 */
export type Arena = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The address at which `bytes[0]` will be seen by the kernel. */
  readonly address: number;
  usedBytes: number;
};

const encoder = new TextEncoder();

/** Bytes of arena that a plain operand needs, outputs not counted. An upper bound, a multiple of 8. */
export function measureOperand(operand: Operand): number {
  switch (operand.kind) {
    case "text":
      return align(Buffer.byteLength(operand.text) + 1);
    case "bytes":
      return align(operand.bytes.byteLength);
    case "texts":
      return operand.texts.reduce((sum, item) => sum + 8 + align(Buffer.byteLength(item) + 1), 8);
    case "struct":
      return Object.values(operand.values).reduce<number>(
        // Bytes in a structure lie in the field itself; other pointers lie behind the structure.
        (sum, value) => sum + (value.kind === "bytes" ? 0 : measureOperand(value)),
        align(operand.layout.sizeBytes),
      );
    default:
      return 0;
  }
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
      return writeText(arena, operand.text);
    case "bytes": {
      const offset = reserve(arena, operand.bytes.byteLength);
      arena.bytes.set(operand.bytes, offset);
      return arena.address + offset;
    }
    case "texts": {
      const offset = reserve(arena, 8 * (operand.texts.length + 1));
      operand.texts.forEach((item, index) => {
        writeWord(arena.view, offset + 8 * index, writeText(arena, item));
      });
      return arena.address + offset;
    }
    case "struct":
      return encodeStruct(arena, operand);
  }
}

function encodeStruct(arena: Arena, operand: PlainOperand & { kind: "struct" }): number {
  const offset = reserve(arena, operand.layout.sizeBytes);
  for (const [name, value] of Object.entries(operand.values)) {
    const field = present(operand.layout.fields[name], `${operand.layout.name}.${name}`);
    const at = offset + field.offset;
    if (value.kind === "bytes") {
      arena.bytes.set(value.bytes.subarray(0, field.sizeBytes), at);
      continue;
    }
    const word = encodeOperand(arena, value, 0);
    if (field.sizeBytes === 8) writeWord(arena.view, at, word);
    else if (field.sizeBytes === 4) arena.view.setUint32(at, Number(word) >>> 0, true);
    else arena.view.setUint16(at, Number(word) & 0xffff, true);
  }
  return arena.address + offset;
}

function writeText(arena: Arena, value: string): number {
  const offset = arena.usedBytes;
  const { written } = encoder.encodeInto(value, arena.bytes.subarray(offset));
  // The arena starts zeroed, but FFI's is used again and again.
  arena.bytes[offset + written] = 0;
  arena.usedBytes = align(offset + written + 1);
  return arena.address + offset;
}

/** Takes zeroed bytes from the arena and returns their offset. */
function reserve(arena: Arena, sizeBytes: number): number {
  const offset = arena.usedBytes;
  arena.usedBytes = align(offset + sizeBytes);
  arena.bytes.fill(0, offset, arena.usedBytes);
  return offset;
}

/** Writes a 64-bit little-endian word; numbers may be negative, and exact up to 53 bits. */
export function writeWord(view: DataView, offset: number, value: number | bigint): void {
  if (typeof value === "bigint") {
    view.setBigUint64(offset, BigInt.asUintN(64, value), true);
    return;
  }
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000) >>> 0, true);
}

function align(sizeBytes: number): number {
  return (sizeBytes + 7) & ~7;
}
