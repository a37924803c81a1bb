// Makes batches byte by byte from the offsets of layout.ts, and takes answers apart; independent of the runtime's encoder.

import { assert, present } from "../../../src/base/assert.ts";
import {
  areaAddress,
  endOfBatch,
  header,
  record as recordLayout,
  resultBytes,
} from "../../../src/init/layout.ts";

/** What a record is given: a number, the 8 bytes at an offset of the area, bytes of its own, or room for output. */
export type Operand =
  | number
  | bigint
  | { readonly indirect: number }
  | { readonly data: Uint8Array }
  | { readonly outputBytes: number };

export type Record = {
  readonly number: number;
  readonly operands?: readonly Operand[];
  /** Absent: an error ends the batch. */
  readonly onError?: number;
  /** Absent: the next record follows. */
  readonly onZero?: number;
  readonly errno?: number;
};

export type Batch = {
  readonly bytes: Uint8Array;
  readonly answerBytes: number;
  readonly count: number;
  /** Offsets of the outputs in the order of their operands. */
  readonly outputs: readonly { readonly offset: number; readonly sizeBytes: number }[];
};

export type Answer = {
  readonly stopped: number;
  readonly results: readonly number[];
  readonly outputs: readonly Uint8Array[];
};

/** The operand whose value is the result of record `index`. */
export function resultOf(index: number): Operand {
  return { indirect: header.sizeBytes + resultBytes * index };
}

/** A pointer to `value` and the byte that ends a C string. */
export function text(value: string): Operand {
  return { data: Buffer.from(`${value}\0`) };
}

/** Numbers of 8 bytes, as structures of the kernel hold them. */
export function quads(...values: readonly (number | bigint)[]): Uint8Array {
  return new Uint8Array(
    BigUint64Array.from(values, (value) => BigInt.asUintN(64, BigInt(value))).buffer,
  );
}

/** Lays a batch out: header, results, outputs, records, data. */
export function encodeBatch(records: readonly Record[]): Batch {
  const operands = records.flatMap(({ operands = [] }) => operands);
  const places = new Map<Operand, number>();
  let next = header.sizeBytes + resultBytes * records.length;
  const place = (operand: Operand, sizeBytes: number): void => {
    places.set(operand, next);
    next += Math.ceil(sizeBytes / 8) * 8;
  };
  const outputs: { offset: number; sizeBytes: number }[] = [];
  for (const operand of operands) {
    if (typeof operand !== "object" || !("outputBytes" in operand)) continue;
    outputs.push({ offset: next, sizeBytes: operand.outputBytes });
    place(operand, operand.outputBytes);
  }
  const answerBytes = next;
  next += recordLayout.sizeBytes * records.length;
  for (const operand of operands) {
    if (typeof operand === "object" && "data" in operand) place(operand, operand.data.length);
  }
  const bytes = new Uint8Array(next);
  const view = new DataView(bytes.buffer);
  view.setUint32(header.count, records.length, true);
  view.setUint32(header.answerBytes, answerBytes, true);
  view.setUint32(header.totalBytes, next, true);
  view.setUint32(header.stopped, 0xdead, true);
  for (const [operand, offset] of places) {
    if (typeof operand === "object" && "data" in operand) bytes.set(operand.data, offset);
  }
  records.forEach((record, index) => {
    const at = answerBytes + recordLayout.sizeBytes * index;
    view.setUint32(at + recordLayout.number, record.number, true);
    view.setUint32(at + recordLayout.onError, record.onError ?? endOfBatch, true);
    view.setUint32(at + recordLayout.onZero, record.onZero ?? index + 1, true);
    view.setUint32(at + recordLayout.errno, record.errno ?? 0, true);
    let indirect = 0;
    (record.operands ?? []).forEach((operand, position) => {
      assert(position < 6, "at most six operands");
      if (typeof operand === "object" && "indirect" in operand) indirect |= 1 << position;
      const value = operandValue(operand, places);
      view.setBigUint64(at + recordLayout.operands + 8 * position, value, true);
    });
    view.setUint32(at + recordLayout.indirect, indirect, true);
  });
  return { bytes, answerBytes, count: records.length, outputs };
}

/** Takes an answer apart. Results beyond 53 bits lose precision, which no test minds. */
export function decodeAnswer(batch: Batch, bytes: Uint8Array): Answer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    stopped: view.getUint32(header.stopped, true),
    results: Array.from({ length: batch.count }, (_, index) =>
      Number(view.getBigInt64(header.sizeBytes + resultBytes * index, true)),
    ),
    outputs: batch.outputs.map(({ offset, sizeBytes }) => bytes.slice(offset, offset + sizeBytes)),
  };
}

function operandValue(operand: Operand, places: ReadonlyMap<Operand, number>): bigint {
  if (typeof operand !== "object") return BigInt.asUintN(64, BigInt(operand));
  if ("indirect" in operand) return BigInt.asUintN(64, BigInt(operand.indirect));
  return BigInt(areaAddress + present(places.get(operand), "place of an operand"));
}
