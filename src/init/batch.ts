// Writes the steps of a batch as the bytes that the stub executes (layout.ts), and knows how to read them back (answer.ts).

import { errnos } from "../abi/errno.ts";
import { syscallNumber } from "../abi/syscall-numbers.ts";
import { assert, present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import type { Recovery, Step } from "../program/step.ts";
import {
  type Arena,
  encodeOperand,
  growingArena,
  writeText,
  writeWord,
} from "../syscall/encode.ts";
import { close } from "../syscall/files.ts";
import { outputSize } from "../syscall/value.ts";
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

/** What the steps are for that only jump; their failure is their purpose. */
export const goingOn = "going on";

/** One record before it is written. */
type Line = {
  readonly step: Step;
  onError: number;
  onZero: number;
  /** Index of the record behind the step and its `onSuccess`. */
  after: number;
  readonly errno: number;
  /** Offset in the area of the step's output; 0 when it has none. */
  outputOffset: number;
};

/** A batch ready to be sent, with what is needed to read its answer. */
export type EncodedBatch = {
  readonly bytes: Uint8Array;
  readonly lines: readonly Readonly<Line>[];
  /** Slot to the index of the record whose result it is. */
  readonly local: ReadonlyMap<string, number>;
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
  options: { readonly keepsDescriptors: boolean } = { keepsDescriptors: false },
): EncodedBatch {
  const { lines, local } = flatten(steps, options.keepsDescriptors);
  return encodeLines(lines, local, known);
}

/**
 * Encodes a batch that has stopped at a step whose recovery is rare, so that it goes on with record `from`: the same
 * records behind one that jumps there, and what has come of them so far in place.
 */
export function encodeRest(
  stopped: EncodedBatch,
  options: {
    readonly from: number;
    /** The answer of the batch that has stopped. */
    readonly answer: Uint8Array;
    /** Results of earlier batches. */
    readonly known: ReadonlyMap<string, number>;
  },
): EncodedBatch {
  const { from, answer, known } = options;
  const shift = (index: number): number => (index === endOfBatch ? index : index + 1);
  const lines = stopped.lines.map((line) => ({
    ...line,
    onError: shift(line.onError),
    onZero: shift(line.onZero),
    after: shift(line.after),
  }));
  const local = new Map([...stopped.local].map(([slot, index]) => [slot, index + 1]));
  const rest = encodeLines([jumpLine(from + 1), ...lines], local, known);
  // Results and outputs follow each other in the same order, now behind the result of the jump.
  rest.bytes.set(answer.subarray(header.sizeBytes), header.sizeBytes + resultBytes);
  return rest;
}

/** Enough for the strings and structures of an ordinary config. */
const dataBytesUsual = 16 * 1024;

function encodeLines(
  lines: Line[],
  local: ReadonlyMap<string, number>,
  known: ReadonlyMap<string, number>,
): EncodedBatch {
  let answerBytes = header.sizeBytes + resultBytes * lines.length;
  for (const line of lines) {
    const { step } = line;
    // Only what is kept or looked at is read back: a step with an output has a slot or a verification.
    if (step.slot === undefined && step.verify === undefined) continue;
    const outputBytes = outputSize(step.call);
    if (outputBytes === 0) continue;
    line.outputOffset = answerBytes;
    answerBytes += (outputBytes + 7) & ~7;
  }
  const dataOffset = answerBytes + record.sizeBytes * lines.length;
  const arena = growingArena({
    address: areaAddress,
    usedBytes: dataOffset,
    sizeBytes: dataOffset + dataBytesUsual,
  });
  writeRecords({ arena, lines, answerBytes, local, known });
  const totalBytes = arena.usedBytes;
  if (totalBytes > areaMaxBytes || lines.length > recordsMax) {
    raise({
      kind: "refused",
      message: `the configuration needs ${lines.length} system calls and ${totalBytes} bytes in one batch, more than init takes`,
    });
  }
  arena.words[header.count >> 2] = lines.length;
  // Until the stub says where it stopped: what is written in the middle of a batch has not stopped anywhere.
  arena.words[header.stopped >> 2] = lines.length;
  arena.words[header.answerBytes >> 2] = answerBytes;
  arena.words[header.totalBytes >> 2] = totalBytes;
  return { bytes: arena.bytes.subarray(0, totalBytes), lines, local, answerBytes };
}

type Flattened = {
  readonly lines: Line[];
  readonly local: Map<string, number>;
  readonly keepsDescriptors: boolean;
};
type Waiting = { readonly recovery: Recovery; readonly from: number; readonly after: number };

/** Lays the tree of steps out in a line: recoveries behind the end, each with a jump back. */
function flatten(steps: readonly Step[], keepsDescriptors: boolean): Flattened {
  const flattened: Flattened = { lines: [], local: new Map(), keepsDescriptors };
  const { lines } = flattened;
  const waiting: Waiting[] = [];
  emit(steps, flattened, waiting);
  const end = waiting.length > 0 ? jump(lines, endOfBatch) : undefined;
  for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
    present(lines[item.from], "the step of a recovery").onError = lines.length;
    emit(item.recovery.steps, flattened, waiting);
    jump(lines, item.recovery.next === "retry" ? item.from : item.after);
  }
  // Jumping exactly to the count is the regular end, which the stub reports as such.
  if (end !== undefined) end.onError = lines.length;
  return flattened;
}

function emit(steps: readonly Step[], flattened: Flattened, waiting: Waiting[]): void {
  const { lines, local, keepsDescriptors } = flattened;
  for (const step of steps) {
    if (keepsDescriptors && step.call.name === "close") continue;
    const { recovery } = step;
    const from = lines.length;
    const line: Line = {
      step,
      onError: endOfBatch,
      onZero: from + 1,
      after: from + 1,
      errno: recovery === undefined ? 0 : filteredErrno(recovery),
      outputOffset: 0,
    };
    lines.push(line);
    if (step.slot !== undefined) local.set(step.slot, from);
    if (step.onSuccess !== undefined) emit(step.onSuccess, flattened, waiting);
    const after = lines.length;
    line.after = after;
    if (step.onZero === "skip") line.onZero = after;
    if (recovery === undefined || recovery.rare === true) continue;
    if (recovery.steps.length > 0) waiting.push({ recovery, from, after });
    else line.onError = recovery.next === "retry" ? from : after;
  }
}

/** Appends a record that only jumps. */
function jump(lines: Line[], target: number): Line {
  const line = jumpLine(target);
  lines.push(line);
  return line;
}

/** Closing descriptor -1 always fails, and has no other effect. */
function jumpLine(target: number): Line {
  const step: Step = { doing: goingOn, call: close(-1) };
  return { step, onError: target, onZero: target, after: target, errno: 0, outputOffset: 0 };
}

/** The one errno the stub lets pass, 0 for all: with several, the answer is checked for the others (answer.ts). */
function filteredErrno({ rare, errnos: meant }: Recovery): number {
  if (rare === true || meant === "any" || meant.length !== 1) return 0;
  return errnos[present(meant[0], "an errno")];
}

/** What writing records needs to know of their batch. */
type Writer = {
  readonly arena: Arena;
  readonly lines: readonly Line[];
  readonly answerBytes: number;
  /** Slot to the index of the record whose result it is. */
  readonly local: ReadonlyMap<string, number>;
  readonly known: ReadonlyMap<string, number>;
};

/**
 * Writes the records and, before them, results that nothing has executed yet. One long loop, and not a function for each part:
 * the interpreter runs it a thousand times, and a call costs it as much as a dozen operations.
 */
function writeRecords({ arena, lines, answerBytes, local, known }: Writer): void {
  // In words of 4 bytes. Half of a word of 8 bytes that is small stays zero, as the arena was made.
  const recordWords = record.sizeBytes >> 2;
  const [numberWord, indirectWord] = [record.number >> 2, record.indirect >> 2];
  const [onErrorWord, onZeroWord] = [record.onError >> 2, record.onZero >> 2];
  const [errnoWord, operandsWord] = [record.errno >> 2, record.operands >> 2];
  let resultAt = header.sizeBytes >> 2;
  let at = answerBytes >> 2;
  for (const { step, onError, onZero, errno, outputOffset } of lines) {
    const { name, operands } = step.call;
    let operandAt = at + operandsWord;
    let indirect = 0;
    let bit = 1;
    for (const operand of operands) {
      const { kind, value } = operand;
      if (typeof value === "number" && kind !== "output") {
        if (value >= 0 && value <= 0xffff_ffff) arena.words[operandAt] = value;
        else writeWord(arena, operandAt << 2, value);
      } else if (kind === "text") {
        // What is written may move the arena; an address in it has no other half.
        const address = writeText(arena, value);
        arena.words[operandAt] = address;
      } else if (kind === "result") {
        const source = local.get(value);
        if (source === undefined) {
          writeWord(arena, operandAt << 2, present(known.get(value), value));
        } else {
          arena.words[operandAt] =
            operand.detail === undefined
              ? header.sizeBytes + resultBytes * source
              : present(lines[source], value).outputOffset + operand.detail;
          indirect |= bit;
        }
      } else if (kind === "answer") {
        arena.words[operandAt] = value === "address" ? areaAddress : answerBytes;
      } else {
        if (kind === "output") {
          assert(outputOffset !== 0, "an output that nobody wants");
          if (operand.detail !== undefined) arena.bytes.set(operand.detail, outputOffset);
        }
        const word = encodeOperand(arena, operand, areaAddress + outputOffset);
        writeWord(arena, operandAt << 2, word);
      }
      operandAt += 2;
      bit <<= 1;
    }
    const { words } = arena;
    words[resultAt] = notExecuted;
    words[resultAt + 1] = -1;
    resultAt += 2;
    words[at + numberWord] = syscallNumber(name);
    words[at + indirectWord] = indirect;
    words[at + onErrorWord] = onError;
    words[at + onZeroWord] = onZero;
    words[at + errnoWord] = errno;
    at += recordWords;
  }
}
