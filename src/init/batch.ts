// Writes the steps of a batch as the bytes that the stub executes (layout.ts), and knows how to read them back (answer.ts).

import { errnos } from "../abi/errno.ts";
import { syscallNumber } from "../abi/syscall-numbers.ts";
import { assert, present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { isClose } from "../program/program.ts";
import type { Recovery, Step } from "../program/step.ts";
import { type Arena, encodeOperand, growingArena, writeWord } from "../syscall/encode.ts";
import { close } from "../syscall/files.ts";
import { outputSize, type ResultOperand } from "../syscall/value.ts";
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

/** Only what is kept or looked at is read back: a step with an output has a slot or a verification. */
function answerSize({ call, slot, verify }: Step): number {
  return slot === undefined && verify === undefined ? 0 : outputSize(call);
}

function encodeLines(
  lines: Line[],
  local: ReadonlyMap<string, number>,
  known: ReadonlyMap<string, number>,
): EncodedBatch {
  let answerBytes = header.sizeBytes + resultBytes * lines.length;
  for (const line of lines) {
    const outputBytes = answerSize(line.step);
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
  const writer: Writer = { arena, lines, answerBytes, local, known };
  const resultWord = header.sizeBytes >> 2;
  for (let index = 0; index < lines.length; index += 1) {
    arena.words[resultWord + 2 * index] = notExecuted;
    arena.words[resultWord + 2 * index + 1] = -1;
    writeRecord(writer, index);
  }
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
  const { lines, local } = flattened;
  for (const step of steps) {
    if (flattened.keepsDescriptors && isClose(step)) continue;
    const { recovery } = step;
    const from = lines.length;
    const line: Line = {
      step,
      onError: endOfBatch,
      onZero: from + 1,
      after: from + 1,
      errno: filteredErrno(recovery),
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
function filteredErrno(recovery: Recovery | undefined): number {
  if (recovery === undefined || recovery.rare === true) return 0;
  const { errnos: meant } = recovery;
  if (meant === "any" || meant.length !== 1) return 0;
  return errnos[present(meant[0], "an errno")];
}

/** What writing a record needs to know of its batch. */
type Writer = {
  readonly arena: Arena;
  readonly lines: readonly Line[];
  readonly answerBytes: number;
  /** Slot to the index of the record whose result it is. */
  readonly local: ReadonlyMap<string, number>;
  readonly known: ReadonlyMap<string, number>;
};

/** Where the parts of a record lie, in words of 4 bytes. */
const recordWords = record.sizeBytes >> 2;
const [numberWord, indirectWord] = [record.number >> 2, record.indirect >> 2];
const [onErrorWord, onZeroWord] = [record.onError >> 2, record.onZero >> 2];
const errnoWord = record.errno >> 2;

function writeRecord(writer: Writer, index: number): void {
  const { arena, lines, answerBytes } = writer;
  const { step, onError, onZero, errno, outputOffset } = present(lines[index], "a record");
  const base = (answerBytes >> 2) + recordWords * index;
  let at = (base << 2) + record.operands;
  let indirect = 0;
  let bit = 1;
  for (const operand of step.call.operands) {
    switch (operand.kind) {
      case "result":
        if (writeResult(writer, operand, at)) indirect |= bit;
        break;
      case "answer":
        writeWord(arena, at, operand.value === "address" ? areaAddress : answerBytes);
        break;
      case "number":
      case "flags": {
        const { value } = operand;
        const isSmall = typeof value === "number" && value >= 0 && value <= 0xffff_ffff;
        // The other half is zero already: the arena is new.
        if (isSmall) arena.words[at >> 2] = value;
        else writeWord(arena, at, value);
        break;
      }
      default: {
        if (operand.kind === "output") {
          assert(outputOffset !== 0, "an output that nobody wants");
          if (operand.detail !== undefined) arena.bytes.set(operand.detail, outputOffset);
        }
        // An address in the area has no other half either. What is written may have moved the arena.
        const address = Number(encodeOperand(arena, operand, areaAddress + outputOffset));
        arena.words[at >> 2] = address;
      }
    }
    at += 8;
    bit <<= 1;
  }
  const { words } = arena;
  words[base + numberWord] = syscallNumber(step.call.name);
  words[base + indirectWord] = indirect;
  words[base + onErrorWord] = onError;
  words[base + onZeroWord] = onZero;
  words[base + errnoWord] = errno;
}

/**
 * Writes a result as an operand: one of this batch is fetched by the stub, one of an earlier batch is a number by now.
 *
 * @returns whether the stub fetches it
 */
function writeResult(
  { arena, lines, local, known }: Writer,
  operand: ResultOperand,
  at: number,
): boolean {
  const { value: of, detail } = operand;
  const source = local.get(of);
  if (source === undefined) {
    writeWord(arena, at, present(known.get(of), of));
    return false;
  }
  const place =
    detail === undefined
      ? header.sizeBytes + resultBytes * source
      : present(lines[source], of).outputOffset + detail;
  writeWord(arena, at, place);
  return true;
}
