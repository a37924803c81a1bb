// What the init stub does with the bytes of a batch, as layout.ts says it: a second opinion in TypeScript, without a kernel.

import { assert } from "../../src/base/assert.ts";
import { areaAddress, header, record } from "../../src/init/layout.ts";

/** Answers a system call: its number and six operands, as the stub would hand them over. */
export type FakeKernel = (number: number, operands: readonly bigint[]) => bigint;

/** More records than any test means to have executed: a batch that runs in circles. */
const executedMax = 100_000;

/** Executes the batch and returns the answer that the stub would write. */
export function runBatch(batch: Uint8Array, kernel: FakeKernel): Uint8Array {
  const bytes = Buffer.from(batch);
  const count = bytes.readUInt32LE(header.count);
  const answerBytes = bytes.readUInt32LE(header.answerBytes);
  assert(bytes.readUInt32LE(header.totalBytes) === bytes.length, "a batch says its own size");
  let index = 0;
  for (let executed = 0; index < count; executed++) {
    assert(executed < executedMax, "a batch runs in circles");
    const next = runRecord(bytes, { index, at: answerBytes + record.sizeBytes * index, kernel });
    if (next === undefined) break;
    index = next;
  }
  bytes.writeUInt32LE(Math.min(index, count), header.stopped);
  return bytes.subarray(0, answerBytes);
}

/** Index of the next record; undefined when this one has ended the batch. */
function runRecord(
  bytes: Buffer,
  place: { readonly index: number; readonly at: number; readonly kernel: FakeKernel },
): number | undefined {
  const { index, at, kernel } = place;
  const count = bytes.readUInt32LE(header.count);
  const indirect = bytes.readUInt32LE(at + record.indirect);
  const store = (result: bigint): void => {
    bytes.writeBigInt64LE(result, header.sizeBytes + 8 * index);
  };
  const operands: bigint[] = [];
  for (let position = 0; position < 6; position++) {
    const word = bytes.readBigUInt64LE(at + record.operands + 8 * position);
    if (((indirect >> position) & 1) === 0) {
      operands.push(BigInt.asIntN(64, word));
      continue;
    }
    const fetched = bytes.readBigInt64LE(Number(word));
    operands.push(fetched);
    if (fetched < 0n && fetched >= -4095n) {
      store(fetched);
      return undefined;
    }
  }
  const result = kernel(bytes.readUInt32LE(at + record.number), operands);
  store(result);
  const failed = result < 0n && result >= -4095n;
  const errno = BigInt(bytes.readUInt32LE(at + record.errno));
  if (failed && errno !== 0n && errno !== -result) return undefined;
  const field = failed ? record.onError : record.onZero;
  const next = failed || result === 0n ? bytes.readUInt32LE(at + field) : index + 1;
  // An index behind the end ends the batch: exactly the count is the regular end.
  return next > count ? undefined : next;
}

/** Reads the text that an operand of the batch points to. */
export function textAt(batch: Uint8Array, address: bigint): string {
  const offset = Number(address) - areaAddress;
  return Buffer.from(batch.subarray(offset, batch.indexOf(0, offset))).toString();
}
