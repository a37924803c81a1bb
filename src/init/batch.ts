// Writes the steps of a batch as the bytes that the stub executes (layout.ts), and knows how to read them back (answer.ts).

import { architecture } from "../abi/architecture.ts";
import { errnos } from "../abi/errno.ts";
import { syscallNumbers } from "../abi/syscall-numbers.ts";
import { assert, present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import type { Recovery, Step } from "../program/step.ts";
import { type Arena, encodeOperand, measureOperand, writeWord } from "../syscall/encode.ts";
import { close } from "../syscall/files.ts";
import {
  areaAddress,
  areaMaxBytes,
  endOfBatch,
  header,
  record,
  recordsMax,
  resultBytes,
} from "./layout.ts";

/** Results start as this: no errno has the number, and the stub refuses it as an operand. */
export const notExecuted = -4095;

/** One record before it is written. */
type Line = {
  readonly step: Step;
  onError: number;
  onZero: number;
  readonly errno: number;
  /** Offset in the area of the step's output; 0 when it has none. */
  outputOffset: number;
};

/** A batch ready to be sent, with what is needed to read its answer. */
export type EncodedBatch = {
  readonly bytes: Uint8Array;
  readonly lines: readonly Readonly<Line>[];
  readonly answerBytes: number;
};

/**
 * Encodes the steps. `known` holds the results of earlier batches by slot.
 *
 * @throws `refused` fault when the batch is larger than the stub takes
 */
export function encodeBatch(
  steps: readonly Step[],
  known: ReadonlyMap<string, number>,
): EncodedBatch {
  const lines = flatten(steps);
  let outputEnd = header.sizeBytes + resultBytes * lines.length;
  let dataBytes = 0;
  for (const line of lines) {
    for (const operand of line.step.call.operands) {
      if (operand.kind === "output") {
        line.outputOffset = outputEnd;
        outputEnd += (operand.sizeBytes + 7) & ~7;
      } else {
        dataBytes += measureOperand(operand);
      }
    }
  }
  const answerBytes = outputEnd;
  const dataOffset = answerBytes + record.sizeBytes * lines.length;
  const totalBytes = dataOffset + dataBytes;
  if (totalBytes > areaMaxBytes || lines.length > recordsMax) {
    raise({
      kind: "refused",
      message: `the configuration needs ${lines.length} system calls and ${totalBytes} bytes in one batch, more than init takes`,
    });
  }
  const bytes = new Uint8Array(totalBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(header.count, lines.length, true);
  view.setUint32(header.answerBytes, answerBytes, true);
  view.setUint32(header.totalBytes, totalBytes, true);
  const arena: Arena = { bytes, view, address: areaAddress, usedBytes: dataOffset };
  const local = localSlots(lines);
  lines.forEach((line, index) => {
    writeWord(view, header.sizeBytes + resultBytes * index, notExecuted);
    writeRecord(arena, answerBytes + record.sizeBytes * index, {
      line,
      lines,
      answerBytes,
      local,
      known,
    });
  });
  assert(arena.usedBytes <= totalBytes, "a batch needs more memory than was measured");
  return { bytes, lines, answerBytes };
}

/** Lays the tree of steps out in a line: recoveries behind the end, each with a jump back. */
function flatten(steps: readonly Step[]): Line[] {
  const lines: Line[] = [];
  const waiting: { readonly recovery: Recovery; readonly from: number; readonly after: number }[] =
    [];
  const emit = (list: readonly Step[]): void => {
    for (const step of list) {
      const from = lines.length;
      const line: Line = {
        step,
        onError: endOfBatch,
        onZero: from + 1,
        errno: filteredErrno(step.recovery),
        outputOffset: 0,
      };
      lines.push(line);
      emit(step.onSuccess ?? []);
      const after = lines.length;
      if (step.onZero === "skip") line.onZero = after;
      if (step.recovery === undefined) continue;
      if (step.recovery.steps.length > 0) waiting.push({ recovery: step.recovery, from, after });
      else line.onError = step.recovery.next === "retry" ? from : after;
    }
  };
  emit(steps);
  const ends: Line[] = [];
  if (waiting.length > 0) ends.push(jump(lines, endOfBatch));
  for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
    present(lines[item.from], "the step of a recovery").onError = lines.length;
    emit(item.recovery.steps);
    jump(lines, item.recovery.next === "retry" ? item.from : item.after);
  }
  // Jumping exactly to the count is the regular end, which the stub reports as such.
  for (const line of ends) line.onError = lines.length;
  return lines;
}

/** Appends a record that only jumps: closing descriptor -1 always fails, and has no other effect. */
function jump(lines: Line[], target: number): Line {
  const step: Step = { doing: "going on", call: close(-1) };
  const line: Line = { step, onError: target, onZero: target, errno: 0, outputOffset: 0 };
  lines.push(line);
  return line;
}

/** The one errno the stub lets pass, 0 for all: with several, the answer is checked for the others (answer.ts). */
function filteredErrno(recovery: Recovery | undefined): number {
  if (recovery === undefined || recovery.errnos === "any") return 0;
  const [only, ...others] = recovery.errnos;
  return only === undefined || others.length > 0 ? 0 : errnos[only];
}

function localSlots(lines: readonly Line[]): ReadonlyMap<string, number> {
  const slots = new Map<string, number>();
  lines.forEach((line, index) => {
    if (line.step.slot !== undefined) slots.set(line.step.slot, index);
  });
  return slots;
}

function writeRecord(
  arena: Arena,
  offset: number,
  options: {
    readonly line: Line;
    readonly lines: readonly Line[];
    readonly answerBytes: number;
    readonly local: ReadonlyMap<string, number>;
    readonly known: ReadonlyMap<string, number>;
  },
): void {
  const { line, lines, answerBytes, local, known } = options;
  const { view } = arena;
  const { call } = line.step;
  let indirect = 0;
  call.operands.forEach((operand, index) => {
    const at = offset + record.operands + 8 * index;
    if (operand.kind === "result") {
      const source = local.get(operand.of);
      if (source === undefined) {
        writeWord(view, at, present(known.get(operand.of), `the result of ${operand.of}`));
        return;
      }
      indirect |= 1 << index;
      writeWord(
        view,
        at,
        operand.outputOffset === undefined
          ? header.sizeBytes + resultBytes * source
          : present(lines[source], operand.of).outputOffset + operand.outputOffset,
      );
    } else if (operand.kind === "answer") {
      writeWord(view, at, operand.part === "address" ? areaAddress : answerBytes);
    } else {
      writeWord(view, at, encodeOperand(arena, operand, areaAddress + line.outputOffset));
    }
  });
  view.setUint32(offset + record.number, syscallNumbers[call.name][architecture], true);
  view.setUint32(offset + record.indirect, indirect, true);
  view.setUint32(offset + record.onError, line.onError, true);
  view.setUint32(offset + record.onZero, line.onZero, true);
  view.setUint32(offset + record.errno, line.errno, true);
}
