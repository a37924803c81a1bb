// Checks an init program before it runs, for what would make the stub do something else than was meant; a bug otherwise.

import { assert, present } from "../base/assert.ts";
import type { Operand } from "../syscall/value.ts";
import { type InitProgram, initPidSlot, parkingBatch } from "./program.ts";
import type { Step } from "./step.ts";

/** What is known at a place of the program. */
type Known = {
  /** Slots whose step has certainly succeeded. */
  readonly defined: Set<string>;
  /** Slots of this batch, wherever they are. */
  readonly named: Set<string>;
  /** Slots of the whole program: a name twice would mean one or the other. */
  readonly taken: Set<string>;
};

/** The registers of a system call. */
const operandsMax = 6;

/**
 * Checks the program.
 *
 * A slot may be used by steps that only run when the slot's step succeeded: those behind it when every failure ends the
 * program (or is retried), those in its `onSuccess` otherwise. A negative result used as a descriptor would be dangerous:
 * -ENETDOWN is AT_FDCWD. The stub stops on such a value; this check makes sure that it never has to.
 */
export function checkProgram(program: InitProgram): void {
  const defined = new Set<string>();
  const taken = new Set<string>();
  program.parts.forEach((part, index) => {
    if (part.kind !== "batch") return;
    assert(part.steps.length > 0, `the batch "${part.name}" has no steps`);
    // Nobody would be there to read an answer: a parked init waits for another process.
    const last = index === program.parts.length - 1;
    assert(part.name !== parkingBatch || last, "something follows the batch that parks");
    const known: Known = { defined, named: new Set(), taken };
    checkSteps(part.steps, known);
    checkFork(part.steps, known);
  });
}

function checkSteps(steps: readonly Step[], known: Known): void {
  for (const step of steps) {
    checkOperands(step, known);
    checkRecovery(step);
    if (step.slot !== undefined) {
      assert(!known.taken.has(step.slot), `${step.slot} names two results`);
      known.taken.add(step.slot);
      known.named.add(step.slot);
    }
    const apart = (): Known => ({ ...known, defined: new Set(known.defined) });
    const { recovery } = step;
    if (recovery?.stages !== undefined) {
      // A batch of their own, whose results nothing else uses.
      checkSteps(recovery.steps, { ...apart(), taken: new Set(known.taken) });
    } else if (recovery !== undefined) checkSteps(recovery.steps, apart());
    const certain = step.recovery === undefined || step.recovery.next === "retry";
    const inner = certain && step.onZero !== "skip" ? known : apart();
    if (step.slot !== undefined) {
      if (certain) known.defined.add(step.slot);
      inner.defined.add(step.slot);
    }
    checkSteps(step.onSuccess ?? [], inner);
  }
}

function checkOperands({ call, doing, verify }: Step, { defined, named }: Known): void {
  assert(call.operands.length <= operandsMax, `"${doing}" has too many operands`);
  const isOutput = (operand: Operand): boolean => operand.kind === "output";
  const outputs = call.operands.filter(isOutput).length;
  // A record has one place for what the kernel writes.
  assert(outputs <= 1, `"${doing}" has two outputs`);
  const needsOutput = verify !== undefined && !["result", "namespace"].includes(verify.kind);
  assert(!needsOutput || outputs === 1, `"${doing}" verifies an output that it does not have`);
  for (const operand of call.operands) {
    if (operand.kind !== "result") continue;
    assert(defined.has(operand.value), `"${doing}" uses ${operand.value}, which nothing defines`);
    // What an earlier batch has put out is with the runtime, no longer with the stub.
    const near = operand.detail === undefined || named.has(operand.value);
    assert(near, `"${doing}" uses the output of ${operand.value}, which is of an earlier batch`);
  }
}

function checkRecovery({ call, doing, recovery, onZero }: Step): void {
  // Everywhere else 0 is a success like any other.
  const forks = call.name === "clone" || call.name === "clone3";
  assert(onZero !== "skip" || forks, `"${doing}" skips its onSuccess on 0, but is no clone`);
  if (recovery === undefined) return;
  const { errnos, next } = recovery;
  assert(errnos.length > 0, `"${doing}" recovers from no error`);
  // The stub lets one error through by its number, and otherwise all: those not meant would be tried for ever.
  const single = errnos !== "any" && errnos.length === 1;
  assert(next !== "retry" || single, `"${doing}" tries again on more than one error`);
}

/** The runtime looks for the fork among the steps of the batch itself, and follows the child from there. */
function checkFork(steps: readonly Step[], { named }: Known): void {
  if (!named.has(initPidSlot)) return;
  const fork = steps.find(({ slot }) => slot === initPidSlot);
  assert(present(fork, "the fork of init").onZero === "skip", "init runs its parent's steps");
}
