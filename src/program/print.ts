// Prints an init program for people and for the golden files: what is being done as a heading, below it the calls, nested
// as they will branch.
//
//   opening the rootfs
//     rootfs = openat(AT_FDCWD, "/bundle/rootfs", O_PATH, 00)      a result that later calls use
//     statx(rootfs, "", AT_EMPTY_PATH)  # must be ...              what the runtime demands of the answer
//     setsid()  # EPERM: go on                                     a failure that does not count
//     openat2(root, "/dev")
//       on ENOENT:                                                 a failure that is mended
//         mkdirat(root, "dev", 0755)
//         again
//     prctl(PR_CAPBSET_DROP, 0..9)                                 ten calls in a row

import { printSyscall } from "../syscall/print.ts";
import { type Operand, type Syscall, slot } from "../syscall/value.ts";
import { type InitProgram, isClose, type Part } from "./program.ts";
import { type Recovery, type Step, type Verification, wordDevice } from "./step.ts";

/** Prints the whole program. Deterministic: the same bundle on the same facts gives the same text. */
export function printProgram(program: InitProgram): string {
  return program.parts.map(printPart).join("\n");
}

function printPart(part: Part): string {
  if (part.kind === "host")
    return `the runtime: ${[part.action, part.of ?? ""].join(" ").trimEnd()}\n`;
  const meanwhile =
    part.meanwhile.length === 0 ? "" : `, while the runtime does: ${part.meanwhile.join(", ")}`;
  const steps = part.keepsDescriptors ? withoutCloses(part.steps) : part.steps;
  return `init: ${part.name}${meanwhile}\n\n${printSteps(steps)}`;
}

function withoutCloses(steps: readonly Step[]): readonly Step[] {
  return steps
    .filter((step) => !isClose(step))
    .map((step) => ({
      ...step,
      onSuccess: step.onSuccess && withoutCloses(step.onSuccess),
      recovery: step.recovery && {
        ...step.recovery,
        steps: withoutCloses(step.recovery.steps),
      },
    }));
}

/** Prints steps of a batch, or of `start`, which has no other part. */
export function printSteps(steps: readonly Step[]): string {
  return printBlock(steps, { doing: "", depth: 1 });
}

/** Where a block of steps stands: under which heading, and how deep. */
type Place = { readonly doing: string; readonly depth: number };

function printBlock(steps: readonly Step[], place: Place): string {
  let text = "";
  let { doing } = place;
  for (let index = 0; index < steps.length; ) {
    const run = runFrom(steps, index);
    const [step] = run;
    if (step === undefined) break;
    // The steps of a branch mostly do what the heading above it says; they stand deeper than it in any case.
    const depth = step.doing === place.doing ? place.depth : place.depth + 1;
    if (step.doing !== doing) text += `${indent(depth - 1)}${heading(step.doing)}\n`;
    doing = step.doing;
    text += printStep(step, run.at(-1) ?? step, { doing, depth });
    index += run.length;
  }
  return text;
}

function indent(depth: number): string {
  return "  ".repeat(depth);
}

/** Phrases are worded for faults; what engines look for in them is no heading. */
function heading(doing: string): string {
  return doing.replace(/^error /, "");
}

function printStep(step: Step, last: Step, { doing, depth }: Place): string {
  const slot = step.slot === undefined ? "" : `${step.slot} = `;
  const { recovery, onSuccess = [] } = step;
  const notes = [
    ...(step.verify === undefined ? [] : [`must be ${printVerification(step.verify)}`]),
    ...(recovery?.steps.length === 0 ? [`${printErrnos(recovery)}: ${printNext(recovery)}`] : []),
  ];
  const note = notes.length === 0 ? "" : `  # ${notes.join("; ")}`;
  let text = `${indent(depth)}${slot}${printRun(step.call, last.call)}${note}\n`;
  if (recovery !== undefined && recovery.steps.length > 0) {
    text += `${indent(depth + 1)}on ${printErrnos(recovery)}:\n`;
    text += printBlock(recovery.steps, { doing, depth: depth + 2 });
    text += `${indent(depth + 2)}${printNext(recovery)}\n`;
  }
  if (onSuccess.length > 0) {
    text += `${indent(depth + 1)}${step.onZero === "skip" ? "if positive" : "if that worked"}:\n`;
    text += printBlock(onSuccess, { doing, depth: depth + 2 });
  }
  return text;
}

function printErrnos({ errnos }: Recovery): string {
  return errnos === "any" ? "any error" : errnos.join(" or ");
}

function printNext({ next, stages }: Recovery): string {
  const more = stages === undefined ? "" : "more, as found; ";
  return `${more}${next === "retry" ? "again" : "go on"}`;
}

function printVerification(verification: Verification): string {
  switch (verification.kind) {
    case "device":
      return wordDevice(verification);
    case "same-file":
      return "the file that the runtime saw";
    case "file-system":
      return `on the file system 0x${verification.magic.toString(16)}`;
    case "other-file-system":
      return `on another file system than 0x${verification.magic.toString(16)}`;
    case "inode":
      return `the inode ${verification.inode}`;
    case "path-inside":
      return "inside the root";
    case "namespace":
      return `a ${verification.type} namespace`;
    case "result":
      return `${verification.value}`;
  }
}

/** The steps from `index` on that differ from each other in one number only, which counts up. */
function runFrom(steps: readonly Step[], index: number): readonly Step[] {
  let end = index + 1;
  for (; end < steps.length; end += 1) {
    const [before, after] = [steps[end - 1], steps[end]];
    if (before === undefined || after === undefined || !continues(before, after)) break;
  }
  return steps.slice(index, end);
}

function continues(before: Step, after: Step): boolean {
  const { call: a, ...restOfA } = before;
  const { call: b, ...restOfB } = after;
  const counted = countedOperand(a, b);
  if (counted === undefined || a.name !== b.name || a.operands.length !== b.operands.length) {
    return false;
  }
  const others = (call: Syscall): string =>
    printSyscall({ ...call, operands: call.operands.filter((_, at) => at !== counted) });
  return asText(restOfA) === asText(restOfB) && others(a) === others(b);
}

/** JSON has no bigints, which inode numbers are. */
function asText(value: object): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "bigint" ? `${member}n` : member,
  );
}

/** Place of the first number that is one larger in the second call. */
function countedOperand(first: Syscall, second: Syscall): number | undefined {
  const at = first.operands.findIndex((operand, index) => {
    const [low, high] = [plainNumber(operand), plainNumber(second.operands[index])];
    return low !== undefined && high === low + 1n;
  });
  return at === -1 ? undefined : at;
}

function plainNumber(operand: Operand | undefined): bigint | undefined {
  return operand?.kind === "number" && operand.detail === undefined
    ? BigInt(operand.value)
    : undefined;
}

function printRun(first: Syscall, last: Syscall): string {
  if (first === last) return printSyscall(first);
  const operands = first.operands.map((operand, index): Operand => {
    const [low, high] = [plainNumber(operand), plainNumber(last.operands[index])];
    if (low === undefined || high === undefined || low === high) return operand;
    return slot(`${low}..${high}`);
  });
  return printSyscall({ ...first, operands });
}
