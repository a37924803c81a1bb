// What a filter says to a call: an interpreter of the classic BPF that libseccomp writes; pure. It decides about no call, it
// tells beforehand whether what init still has to do would be denied.

import {
  classicBpf,
  classicBpfInstructionBytes,
  seccompData,
  seccompReturns,
} from "../abi/seccomp.ts";
import type { Operand, Syscall } from "../syscall/value.ts";

/** A call as a filter sees it: `struct seccomp_data` without the address that it comes from. */
export type SeenCall = {
  readonly architecture: number;
  readonly number: number;
  readonly args: readonly bigint[];
};

const { LD_ABS, LD_IMM, LDX_IMM, LD_MEM, LDX_MEM, ST, STX, TAX, TXA } = classicBpf;
const { JA, JEQ, JGT, JGE, JSET, AND, RET_K, RET_A } = classicBpf;

/**
 * What the filter returns for a call.
 *
 * @returns undefined when it uses an instruction that libseccomp does not
 */
export function filterVerdict(filter: Uint8Array, call: SeenCall): number | undefined {
  const words = new Uint32Array(
    filter.slice(0, filter.byteLength - (filter.byteLength % classicBpfInstructionBytes)).buffer,
  );
  const memory = new Uint32Array(16);
  let a = 0;
  let x = 0;
  for (let at = 0; at + 1 < words.length; at += 2) {
    const head = words[at] ?? 0;
    const k = words[at + 1] ?? 0;
    const code = head & 0xffff;
    let holds: boolean | undefined;
    if (code === LD_ABS) a = loadWord(call, k);
    else if (code === JEQ) holds = a === k;
    else if (code === JGT) holds = a > k;
    else if (code === JGE) holds = a >= k;
    else if (code === JSET) holds = (a & k) !== 0;
    else if (code === JA) at += 2 * k;
    else if (code === AND) a = (a & k) >>> 0;
    else if (code === RET_K) return k;
    else if (code === RET_A) return a;
    else if (code === LD_IMM) a = k;
    else if (code === LDX_IMM) x = k;
    else if (code === LD_MEM) a = memory[k] ?? 0;
    else if (code === LDX_MEM) x = memory[k] ?? 0;
    else if (code === ST) memory[k] = a;
    else if (code === STX) memory[k] = x;
    else if (code === TAX) x = a;
    else if (code === TXA) a = x;
    else return undefined;
    if (holds !== undefined) at += 2 * (holds ? (head >>> 16) & 0xff : head >>> 24);
  }
  return undefined;
}

/** A word of `struct seccomp_data`; the low half of an argument comes first on all our architectures. */
function loadWord({ architecture, number, args }: SeenCall, offset: number): number {
  if (offset === seccompData.nr) return number;
  if (offset === seccompData.arch) return architecture;
  if (offset < seccompData.args) return 0;
  const argument = args[(offset - seccompData.args) >> 3] ?? 0n;
  const isHigh = (offset & 4) !== 0;
  return Number((isHigh ? argument >> 32n : argument) & 0xffff_ffffn);
}

/** Whether a verdict has the call made, if perhaps by an agent that answers for the kernel, and nobody is killed. */
export function isMade(verdict: number | undefined): boolean {
  const { SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_USER_NOTIF } = seccompReturns;
  if (verdict === undefined) return false;
  const action = verdict - (verdict & 0xffff);
  return [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_USER_NOTIF].some((one) => one === action);
}

/** The words of a call, as far as they are known beforehand: addresses and results of other calls are not. */
export function knownArguments(call: Syscall): readonly bigint[] {
  return call.operands.map((operand: Operand) =>
    operand.kind === "number" || operand.kind === "flags"
      ? BigInt.asUintN(64, BigInt(operand.value))
      : 0n,
  );
}
