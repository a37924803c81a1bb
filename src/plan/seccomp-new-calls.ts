// The code in front of a filter that answers calls which are newer than the profile with ENOSYS; pure.
//
// A profile that denies what it does not name would answer a call of tomorrow with EPERM, and programs that try it first take
// that for a verdict, where ENOSYS lets them fall back on the call of today. So calls with a number above the largest one
// that the profile names, for their architecture, do not exist; what lies below is the filter's to decide, as with runc.
//
//         ld [arch]
//         for each architecture:
//           jne arch, next
//           ld [nr]
//           jset x32 bit, x32            only for x86-64, whose number tells which of two ABIs it is
//           jgt last, enosys
//           ja filter
//           x32:
//           jgt last of x32, enosys      where the profile has x32
//           ja filter
//    next:
//         ja filter                      a foreign architecture
//    enosys:
//         ret ERRNO(ENOSYS)
//    filter:

import { errnos } from "../abi/errno.ts";
import {
  auditArchitectures,
  classicBpf,
  classicBpfInstructionBytes,
  seccompData,
  seccompReturns,
  X32_SYSCALL_BIT,
} from "../abi/seccomp.ts";
import { present } from "../base/assert.ts";
import { SCMP_ARCH_X32 } from "./seccomp-request.ts";

/** The largest number that the profile names for an architecture, by libseccomp's token. */
export type LastCall = { readonly token: number; readonly number: number };

/** A jump's target is a label; what follows an instruction is next when it does not jump. */
type Line =
  | { readonly label: string }
  | {
      readonly code: number;
      readonly k: number;
      readonly goto?: string;
      readonly otherwise?: string;
    };

const { LD_ABS, JA, JEQ, JGT, JSET, RET_K } = classicBpf;
const { AUDIT_ARCH_X86_64 } = auditArchitectures;

/** Makes the code: nothing where the filter itself lets unknown calls through, or the profile names none. */
export function answerNewCalls(
  defaultAction: number,
  lastCalls: readonly LastCall[],
): Uint8Array<ArrayBuffer> {
  if (letsThrough(defaultAction) || lastCalls.length === 0) return new Uint8Array();
  const lastOf = new Map(lastCalls.map(({ token, number }) => [token, number]));
  const architectures = new Set(
    lastCalls.map(({ token }) => (token === SCMP_ARCH_X32 ? AUDIT_ARCH_X86_64 : token)),
  );
  return assemble([
    { code: LD_ABS, k: seccompData.arch },
    ...[...architectures].map((architecture) => section(architecture, lastOf)).flat(),
    { code: JA, k: 0, goto: "filter" },
    { label: "enosys" },
    { code: RET_K, k: seccompReturns.SECCOMP_RET_ERRNO + errnos.ENOSYS },
    { label: "filter" },
  ]);
}

/** A tracer is taken for one that knows what to do about new calls. */
function letsThrough(action: number): boolean {
  const { SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE } = seccompReturns;
  const withoutData = action - (action & 0xffff);
  return [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE].some((one) => one === withoutData);
}

function section(architecture: number, lastOf: ReadonlyMap<number, number>): readonly Line[] {
  const next = `next ${architecture}`;
  const start: readonly Line[] = [
    { code: JEQ, k: architecture, otherwise: next },
    { code: LD_ABS, k: seccompData.nr },
  ];
  const checked = check(lastOf.get(architecture));
  if (architecture !== AUDIT_ARCH_X86_64) return [...start, ...checked, { label: next }];
  const isX32: Line = { code: JSET, k: X32_SYSCALL_BIT, goto: "x32" };
  // Without x32 in the profile it is a foreign architecture, which is libseccomp's to refuse.
  const x32: readonly Line[] = [{ label: "x32" }, ...check(lastOf.get(SCMP_ARCH_X32))];
  return [...start, isX32, ...checked, ...x32, { label: next }];
}

function check(last: number | undefined): readonly Line[] {
  const toFilter: Line = { code: JA, k: 0, goto: "filter" };
  return last === undefined ? [toFilter] : [{ code: JGT, k: last, goto: "enosys" }, toFilter];
}

/** Turns labels into distances, which count from the next instruction and lead forward; those of conditions have 8 bits. */
function assemble(lines: readonly Line[]): Uint8Array<ArrayBuffer> {
  const labels = new Map<string, number>();
  const instructions: Exclude<Line, { label: string }>[] = [];
  for (const line of lines) {
    if ("label" in line) labels.set(line.label, instructions.length);
    else instructions.push(line);
  }
  const bytes = new Uint8Array(instructions.length * classicBpfInstructionBytes);
  const view = new DataView(bytes.buffer);
  instructions.forEach(({ code, k, goto, otherwise }, index) => {
    const distance = (label: string | undefined): number =>
      label === undefined ? 0 : present(labels.get(label), label) - index - 1;
    const at = index * classicBpfInstructionBytes;
    view.setUint16(at, code, true);
    if (code === JA) {
      view.setUint32(at + 4, distance(goto), true);
      return;
    }
    // There are fewer than 200 lines for all architectures together.
    view.setUint8(at + 2, distance(goto));
    view.setUint8(at + 3, distance(otherwise));
    view.setUint32(at + 4, k, true);
  });
  return bytes;
}
