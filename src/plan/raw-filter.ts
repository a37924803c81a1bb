// A seccomp filter that a config brings along instead of a profile: whether the kernel would take it, and what of init's calls it
// forbids; pure. Loaded only where there is one.

import {
  classicBpf,
  classicBpfAlu,
  classicBpfInstructionBytes,
  seccompData,
  seccompReturns,
} from "../abi/seccomp.ts";
import { syscallNumber } from "../abi/syscall-numbers.ts";
import { raise } from "../base/fault.ts";
import { seccompBpfData } from "../spec/annotations.ts";
import { findForbidden } from "./seccomp-remaining.ts";
import { nativeToken } from "./seccomp-request.ts";
import { filterVerdict } from "./seccomp-verdict.ts";

export type RawFilter = { readonly program: Uint8Array; readonly forbidden: number };

const { LD_ABS, LD_MEM, LDX_MEM, LD_LEN, LDX_LEN, ST, STX, JA, JEQ, JGT, JGE, JSET } = classicBpf;
const { LD_IMM, LDX_IMM, RET_K, RET_A, TAX, TXA, AND } = classicBpf;
const { ADD, SUB, MUL, DIV, OR, XOR, LSH, RSH, NEG } = classicBpfAlu;
/** Set where the second operand is X, not k. */
const withX = 0x08;
const memoryWords = 16;
const seccompDataBytes = seccompData.args + 6 * 8;

const arithmetic = [ADD, SUB, MUL, DIV, AND, OR, XOR, LSH, RSH];
const comparisons = [JEQ, JGT, JGE, JSET].map((code) => [code, code | withX]).flat();
const known: ReadonlySet<number> = new Set([
  ...[LD_ABS, LD_MEM, LDX_MEM, LD_IMM, LDX_IMM, LD_LEN, LDX_LEN, ST, STX, TAX, TXA, NEG],
  ...[JA, RET_K, RET_A, ...comparisons, ...arithmetic.map((code) => [code, code | withX]).flat()],
]);

/**
 * Admits a program.
 *
 * @param asks whether it is loaded with a listener
 * @throws `refused` fault that names the first instruction which seccomp(2) does not take
 */
export function admitRawFilter(program: Uint8Array, asks: boolean): RawFilter {
  const count = program.byteLength / classicBpfInstructionBytes;
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  for (let index = 0; index < count; index += 1) {
    const at = index * classicBpfInstructionBytes;
    const [code, k] = [view.getUint16(at, true), view.getUint32(at + 4, true)];
    const jumps = [view.getUint8(at + 2), view.getUint8(at + 3)];
    const wrong = judge({ code, k, jumps, left: count - index - 1 });
    if (wrong !== undefined) {
      const message = `annotation ${seccompBpfData}: instruction ${index} of ${count} ${wrong}`;
      raise({ kind: "refused", message });
    }
  }
  const forbidden = findForbidden(program);
  return { program, forbidden: forbidden < 0 && asks ? askedBeforeAnswer(program) : forbidden };
}

type Instruction = {
  readonly code: number;
  readonly k: number;
  readonly jumps: readonly number[];
  /** How many follow. */
  readonly left: number;
};

function judge({ code, k, jumps, left }: Instruction): string | undefined {
  if (!known.has(code)) return `has the code 0x${code.toString(16)}, which seccomp does not know`;
  if (code === LD_ABS && (k % 4 !== 0 || k >= seccompDataBytes))
    return `loads a word at ${k}, which struct seccomp_data does not have`;
  if ([LD_MEM, LDX_MEM, ST, STX].some((one) => one === code) && k >= memoryWords)
    return `uses word ${k} of its memory, which has ${memoryWords}`;
  if (code === DIV && k === 0) return "divides by 0";
  if ((code === LSH || code === RSH) && k > 31) return `shifts by ${k} bits`;
  const farthest = code === JA ? k : comparisons.includes(code) ? Math.max(...jumps) : 0;
  if (farthest >= left && (code === JA || comparisons.includes(code)))
    return `jumps over ${farthest} instructions, and ${left} follow`;
  if (left === 0 && code !== RET_K && code !== RET_A) return "is the last one and does not return";
  return undefined;
}

/** The stub tells of the listener by write(2), which nobody could be asked about yet. */
function askedBeforeAnswer(program: Uint8Array): number {
  const number = syscallNumber("write");
  const verdict = filterVerdict(program, { architecture: nativeToken, number, args: [] }) ?? 0;
  return verdict - (verdict & 0xffff) === seccompReturns.SECCOMP_RET_USER_NOTIF ? number : -1;
}
