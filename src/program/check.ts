// Checks an init program before it runs: slots are defined before their use, and no failure can reach one; a bug otherwise.

import { assert } from "../base/assert.ts";
import type { InitProgram } from "./program.ts";
import type { Step } from "./step.ts";

/**
 * Checks the program.
 *
 * A slot may be used by steps that only run when the slot's step succeeded: those behind it when every failure ends the
 * program (or is retried), those in its `onSuccess` otherwise. A negative result used as a descriptor would be dangerous:
 * -ENETDOWN is AT_FDCWD. The stub stops on such a value; this check makes sure that it never has to.
 */
export function checkProgram(program: InitProgram): void {
  const defined = new Set<string>();
  for (const part of program.parts) {
    if (part.kind === "batch") checkSteps(part.steps, defined);
  }
}

function checkSteps(steps: readonly Step[], defined: Set<string>): void {
  for (const step of steps) {
    for (const operand of step.call.operands) {
      if (operand.kind !== "result") continue;
      assert(defined.has(operand.of), `"${step.doing}" uses ${operand.of}, which nothing defines`);
    }
    if (step.recovery !== undefined) checkSteps(step.recovery.steps, new Set(defined));
    const certain = step.recovery === undefined || step.recovery.next === "retry";
    const inner = new Set(defined);
    if (step.slot !== undefined) {
      inner.add(step.slot);
      if (certain) defined.add(step.slot);
      else defined.delete(step.slot);
    }
    checkSteps(step.onSuccess ?? [], certain ? defined : inner);
  }
}
