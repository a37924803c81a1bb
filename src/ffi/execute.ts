// Executes a system call value in the runtime process, through libc's syscall(2); the stub's counterpart is init/drive.ts.

import { ptr, read } from "bun:ffi";
import { errnoName } from "../abi/errno.ts";
import { syscallNumber } from "../abi/syscall-numbers.ts";
import { assert } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { type Arena, encodeOperand, measureOperand, pinnedArena } from "../syscall/encode.ts";
import { describeTarget } from "../syscall/print.ts";
import type { Syscall } from "../syscall/value.ts";
import { libc, mainThreadErrno } from "./libc.ts";

// Pinned for the life of the process: strings and structures of one call at a time. Calls do not nest.
const arena = pin(64 * 1024);

/** Memory of this size lies outside the GC's heap: it stays where it is as long as it is referenced. */
function pin(sizeBytes: number): Arena {
  const memory = new ArrayBuffer((sizeBytes + 7) & ~7);
  return pinnedArena(memory, Number(ptr(memory)));
}

/**
 * Executes the call in this process. Run by the runtime.
 *
 * Safety: every pointer handed to the kernel lies in an arena that is referenced until the call has returned, and each
 * output is as large as its operand says.
 *
 * @returns the result, or -errno as the kernel itself returns it
 */
export function execute(call: Syscall): number {
  return executeIn(call).result;
}

/** Executes the call and returns with the result a copy of what the kernel wrote to the call's output operand. */
export function executeForOutput(call: Syscall): {
  readonly result: number;
  readonly output: Uint8Array;
} {
  const { result, used, outputOffset, outputBytes } = executeIn(call);
  return {
    result,
    output: new Uint8Array(used.bytes.subarray(outputOffset, outputOffset + outputBytes)),
  };
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

/** The words of the call under way; calls do not nest. */
const words: (number | bigint)[] = [0, 0, 0, 0, 0, 0];

function executeIn(call: Syscall): {
  readonly result: number;
  readonly used: Arena;
  readonly outputOffset: number;
  readonly outputBytes: number;
} {
  let outputBytes = 0;
  let neededBytes = 0;
  for (const operand of call.operands) {
    if (operand.kind === "output") outputBytes += operand.sizeBytes;
    else if (operand.kind !== "number" && operand.kind !== "flags") {
      neededBytes += measureOperand(operand);
    }
  }
  const outputOffset = (neededBytes + 7) & ~7;
  const outputEnd = outputOffset + outputBytes;
  const used = outputEnd <= arena.bytes.byteLength ? arena : pin(outputEnd + 16);
  used.usedBytes = 0;
  // As in a batch: behind what the kernel writes there is nothing, and not what an earlier call has left.
  if (outputBytes > 0 && used === arena) used.bytes.fill(0, outputOffset, outputEnd);
  words.fill(0);
  let index = 0;
  for (const operand of call.operands) {
    const isPlain = operand.kind !== "result" && operand.kind !== "answer";
    assert(isPlain, "a call in the runtime refers to a batch");
    if (operand.kind === "output" && operand.initial !== undefined) {
      used.bytes.set(operand.initial, outputOffset);
    }
    words[index] = encodeOperand(used, operand, used.address + outputOffset);
    index += 1;
  }
  assert(used.usedBytes <= outputOffset, "a call needs more memory than was measured");
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0, sixth = 0] = words;
  const number = syscallNumber(call.name);
  const result = Number(libc.syscall(number, first, second, third, fourth, fifth, sixth));
  const settled = result === -1 ? -read.i32(mainThreadErrno, 0) : result;
  return { result: settled, used, outputOffset, outputBytes };
}
