// Executes a system call value in the runtime process, through libc's syscall(2); the stub's counterpart is init/drive.ts.

import { ptr, read } from "bun:ffi";
import { errnoName } from "../abi/errno.ts";
import { syscallNumber } from "../abi/syscall-numbers.ts";
import { assert } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { type Arena, encodeOperand, measureOperand, pinnedArena } from "../syscall/encode.ts";
import { describeTarget } from "../syscall/print.ts";
import { outputSize, type Syscall } from "../syscall/value.ts";
import { libc, mainThreadErrno } from "./libc.ts";

/** What a call points to, and what the kernel writes: memory that lies outside the GC's heap, and stays where it is. */
type Memory = {
  readonly arena: Arena;
  /** Behind what the call points to. */
  readonly outputOffset: number;
};

function pin(inputBytes: number, outputBytes: number): Memory {
  const outputOffset = (inputBytes + 7) & ~7;
  const memory = new ArrayBuffer((outputOffset + outputBytes + 7) & ~7);
  return { arena: pinnedArena(memory, Number(ptr(memory))), outputOffset };
}

// For the life of the process: strings and structures of one call at a time. Calls do not nest.
const usualBytes = 32 * 1024;
const ordinary = pin(usualBytes, usualBytes);

/**
 * Executes the call in this process. Run by the runtime.
 *
 * Safety: every pointer handed to the kernel lies in an arena that is referenced until the call has returned, and each
 * output is as large as its operand says.
 *
 * @returns the result, or -errno as the kernel itself returns it
 */
export function execute(call: Syscall): number {
  return executeIn(memoryFor(call), call);
}

/** Executes the call and returns with the result a copy of what the kernel wrote to the call's output operand. */
export function executeForOutput(call: Syscall): {
  readonly result: number;
  readonly output: Uint8Array;
} {
  const memory = memoryFor(call);
  const result = executeIn(memory, call);
  const { arena, outputOffset } = memory;
  const outputEnd = outputOffset + outputSize(call);
  return { result, output: new Uint8Array(arena.bytes.subarray(outputOffset, outputEnd)) };
}

/** The memory that serves nearly every call, or a larger one. */
function memoryFor(call: Syscall): Memory {
  let inputBytes = 0;
  let outputBytes = 0;
  for (const operand of call.operands) {
    switch (operand.kind) {
      case "number":
      case "flags":
        break;
      case "output":
        outputBytes = operand.value;
        break;
      default:
        inputBytes += measureOperand(operand);
    }
  }
  const fits = inputBytes <= usualBytes && outputBytes <= usualBytes;
  return fits ? ordinary : pin(inputBytes, outputBytes);
}

/**
 * Executes the call and returns its result.
 *
 * @throws `syscall` fault, saying that `doing` failed
 */
export function must(call: Syscall, doing: string): number {
  const result = execute(call);
  return result < 0 ? raiseErrno(call, doing, result) : result;
}

/** As `must`, with the output. */
export function mustForOutput(
  call: Syscall,
  doing: string,
): { readonly result: number; readonly output: Uint8Array } {
  const answer = executeForOutput(call);
  return answer.result < 0 ? raiseErrno(call, doing, answer.result) : answer;
}

/**
 * Throws the fault for a call that returned `result` in this process.
 *
 * @throws `syscall` fault always
 */
export function raiseErrno(call: Syscall, doing: string, result: number): never {
  const target = describeTarget(call);
  raise({
    kind: "syscall",
    doing,
    call: call.name,
    ...(target === undefined ? {} : { target }),
    errno: errnoName(-result),
    where: "runtime",
  });
}

/** The words of the call under way. */
const words: [Word, Word, Word, Word, Word, Word] = [0, 0, 0, 0, 0, 0];
type Word = number | bigint;

function executeIn({ arena, outputOffset }: Memory, call: Syscall): number {
  arena.usedBytes = 0;
  let index = 0;
  for (const operand of call.operands) {
    switch (operand.kind) {
      case "number":
      case "flags":
        words[index] = operand.value;
        break;
      case "result":
      case "answer":
        assert(false, "a call in the runtime refers to a batch");
        break;
      default:
        if (operand.kind === "output") {
          // As in a batch: behind what the kernel writes there is nothing, and not what an earlier call has left.
          arena.bytes.fill(0, outputOffset, outputOffset + operand.value);
          if (operand.detail !== undefined) arena.bytes.set(operand.detail, outputOffset);
        }
        words[index] = encodeOperand(arena, operand, arena.address + outputOffset);
    }
    index += 1;
  }
  assert(arena.usedBytes <= outputOffset, "a call needs more memory than was measured");
  for (; index < words.length; index += 1) words[index] = 0;
  const number = syscallNumber(call.name);
  const result = libc.syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
  return result === -1 ? -read.i32(mainThreadErrno, 0) : Number(result);
}
