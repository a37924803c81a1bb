// Prints an init program for people and for the golden files: one line a step, nested as it will branch.

import { printSyscall } from "../syscall/print.ts";
import type { InitProgram, Part } from "./program.ts";
import type { Recovery, Step, Verification } from "./step.ts";

/** Prints the whole program. Deterministic: the same bundle on the same facts gives the same text. */
export function printProgram(program: InitProgram): string {
  return program.parts.map(printPart).join("\n");
}

function printPart(part: Part): string {
  if (part.kind === "host") return `the runtime: ${part.action}\n`;
  const meanwhile =
    part.meanwhile.length === 0 ? "" : `, while the runtime does: ${part.meanwhile.join(", ")}`;
  return `init: ${part.name}${meanwhile}\n${printSteps(part.steps, 1)}`;
}

function printSteps(steps: readonly Step[], depth: number): string {
  return steps.map((step) => printStep(step, depth)).join("");
}

function printStep(step: Step, depth: number): string {
  const indent = "  ".repeat(depth);
  const slot = step.slot === undefined ? "" : `${step.slot} = `;
  const verify = step.verify === undefined ? "" : `, must be ${printVerification(step.verify)}`;
  let text = `${indent}${slot}${printSyscall(step.call)}  # ${step.doing}${verify}\n`;
  if (step.recovery !== undefined) text += printRecovery(step.recovery, depth + 1);
  if (step.onSuccess !== undefined && step.onSuccess.length > 0) {
    const condition = step.onZero === "skip" ? "if positive" : "if that worked";
    text += `${indent}  ${condition}:\n${printSteps(step.onSuccess, depth + 2)}`;
  }
  return text;
}

function printRecovery(recovery: Recovery, depth: number): string {
  const indent = "  ".repeat(depth);
  const errnos = recovery.errnos === "any" ? "any error" : recovery.errnos.join(" or ");
  const next = recovery.next === "retry" ? "then again" : "then go on";
  if (recovery.steps.length === 0) return `${indent}${errnos}: go on\n`;
  return `${indent}on ${errnos}, ${next}:\n${printSteps(recovery.steps, depth + 1)}`;
}

function printVerification(verification: Verification): string {
  switch (verification.kind) {
    case "character-device":
      return `character device ${verification.major}:${verification.minor}`;
    case "same-file":
      return "the file that the runtime saw";
    case "file-system":
      return `on file system 0x${verification.magic.toString(16)}`;
    case "path-inside":
      return "inside the root";
    case "result":
      return `${verification.value}`;
  }
}
