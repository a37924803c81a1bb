// Turns a listing of instructions and labels into machine code; knows no instruction of any architecture.

import { assert, present } from "../../base/assert.ts";

/** Where an instruction stands, and where the labels do. */
export type Place = {
  readonly address: number;
  readonly addressOf: (label: string) => number;
};

/** One machine instruction. Its size never depends on its place, so addresses are known in one pass. */
export type Instruction = {
  readonly sizeBytes: number;
  readonly encode: (place: Place) => readonly number[];
};

/** A line of a listing: a label, written `name:`, or an instruction and why it is there. */
export type Line = `${string}:` | readonly [instruction: Instruction, why: string];

/** An instruction at its address, for the commented listing. */
export type AssembledLine = {
  readonly address: number;
  readonly bytes: readonly number[];
  /** The labels that stand in front of the instruction. */
  readonly labels: readonly string[];
  readonly why: string;
};

export type Assembly = {
  readonly lines: readonly AssembledLine[];
  readonly sizeBytes: number;
  readonly addressOf: (label: string) => number;
};

/**
 * Assembles a listing whose first instruction is at `address`. The same listing always gives the same bytes.
 *
 * @param outside addresses of code that is not in the listing, by the labels that it knows them by
 */
export function assemble(
  listing: readonly Line[],
  address: number,
  outside: Readonly<Record<string, number>> = {},
): Assembly {
  const labels = new Map(Object.entries(outside));
  const placed: { address: number; instruction: Instruction; labels: string[]; why: string }[] = [];
  let next = address;
  let waiting: string[] = [];
  for (const line of listing) {
    if (typeof line === "string") {
      const label = line.slice(0, -1);
      assert(!labels.has(label), `label ${label} is defined once`);
      labels.set(label, next);
      waiting.push(label);
      continue;
    }
    const [instruction, why] = line;
    placed.push({ address: next, instruction, labels: waiting, why });
    next += instruction.sizeBytes;
    waiting = [];
  }
  const addressOf = (label: string): number => present(labels.get(label), `label ${label}`);
  const lines = placed.map(({ instruction, ...line }) => {
    const bytes = instruction.encode({ address: line.address, addressOf });
    assert(bytes.length === instruction.sizeBytes, `size of the instruction at ${line.address}`);
    return { ...line, bytes };
  });
  return { lines, sizeBytes: next - address, addressOf };
}

/** The bytes of `value`, least significant first, as both architectures store it; negative values in two's complement. */
export function littleEndian(value: number, sizeBytes: 1 | 2 | 4 | 8): number[] {
  const range = 2 ** (8 * sizeBytes);
  assert(Number.isSafeInteger(value), `${value} is an integer`);
  assert(value >= -range / 2 && value < range, `${value} fits ${sizeBytes} bytes`);
  const bits = BigInt.asUintN(8 * sizeBytes, BigInt(value));
  return Array.from({ length: sizeBytes }, (_, index) =>
    Number((bits >> BigInt(8 * index)) & 255n),
  );
}
