// Steps with numbers, read as they are meant and executed as they are encoded: both must make the same calls.

import * as assert from "uvu/assert";
import { type ErrnoName, errnos } from "../../src/abi/errno.ts";
import { syscallNumber } from "../../src/abi/syscall-numbers.ts";
import { present } from "../../src/base/assert.ts";
import { FaultError } from "../../src/base/fault.ts";
import { readAnswer } from "../../src/init/answer.ts";
import { type EncodedBatch, encodeBatch, encodeRest } from "../../src/init/batch.ts";
import { checkProgram } from "../../src/program/check.ts";
import { batch } from "../../src/program/program.ts";
import { type Step, step } from "../../src/program/step.ts";
import { call, fdOperand, number, slot } from "../../src/syscall/value.ts";
import { type FakeKernel, runBatch } from "./stub-model.ts";

/** A call that says which step it is, and with what it was made. */
export type Call = { readonly id: number; readonly used: readonly number[] };

/** The result of the step's nth execution. */
export type World = (id: number, nth: number) => number;

export type End = {
  readonly calls: readonly Call[];
  readonly results: ReadonlyMap<string, number>;
  /** The step that ended the batch, and the errno. */
  readonly fault: string | undefined;
};

export const numbers = {
  getpid: syscallNumber("getpid"),
  clone: syscallNumber("clone"),
};

function counted(world: World): (id: number) => number {
  const times = new Map<number, number>();
  return (id) => {
    const nth = times.get(id) ?? 0;
    times.set(id, nth + 1);
    return world(id, nth);
  };
}

function errnoOf(result: number): ErrnoName | undefined {
  const names: readonly ErrnoName[] = ["ENOENT", "EEXIST", "EPERM"];
  return names.find((name) => errnos[name] === -result);
}

function idOf({ call: { operands } }: Step): number {
  const [first] = operands;
  return first?.kind === "number" ? Number(first.value) : -1;
}

/** Reads the steps as they are meant. */
export function interpret(steps: readonly Step[], world: World): End {
  const kernel = counted(world);
  const calls: Call[] = [];
  const results = new Map<string, number>();
  let fault: string | undefined;
  const runAll = (list: readonly Step[]): boolean => list.every(runOne);
  const execute = (one: Step): number => {
    const id = idOf(one);
    const used = one.call.operands.flatMap((operand) =>
      operand.kind === "result" ? [results.get(operand.value) ?? Number.NaN] : [],
    );
    const result = kernel(id);
    calls.push({ id, used });
    if (one.slot !== undefined) results.set(one.slot, result);
    return result;
  };
  const runOne = (one: Step): boolean => {
    for (;;) {
      const result = execute(one);
      if (result === 0 && one.onZero === "skip") return true;
      if (result >= 0) return runAll(one.onSuccess ?? []);
      const { recovery } = one;
      const errno = errnoOf(result);
      const isMeant = recovery?.errnos === "any" || recovery?.errnos.some((name) => name === errno);
      if (recovery === undefined || isMeant !== true) {
        fault = `${one.doing} ${errno}`;
        return false;
      }
      if (!runAll(recovery.steps)) return false;
      if (recovery.next === "skip") return true;
    }
  };
  runAll(steps);
  return { calls, results, fault };
}

/** Encodes the steps, has them executed record by record, and reads the answer. */
export function encodeAndRun(steps: readonly Step[], world: World): End {
  const kernel = counted(world);
  const calls: Call[] = [];
  const execute: FakeKernel = (called, operands) => {
    // Jumps are calls that fail.
    if (called !== numbers.getpid && called !== numbers.clone) return BigInt(-errnos.EBADF);
    const [id = 0n, ...others] = operands;
    const used = others.slice(0, usedCount(steps, Number(id))).map(Number);
    calls.push({ id: Number(id), used });
    return BigInt(kernel(Number(id)));
  };
  const results = new Map<string, number>();
  // As drive.ts does it: a rare recovery is a batch of its own, behind which the interrupted one goes on.
  const runAll = (first: EncodedBatch): void => {
    let encoded = first;
    for (;;) {
      const answer = runBatch(encoded.bytes, execute);
      const { results: found, interrupted } = readAnswer(encoded, answer);
      for (const [name, result] of found) results.set(name, result);
      if (interrupted === undefined) return;
      const { at, recovery } = interrupted;
      runAll(encodeBatch(recovery.steps, results));
      const from = recovery.next === "retry" ? at : present(encoded.lines[at], "record").after;
      encoded = encodeRest(encoded, { from, answer, known: results });
    }
  };
  try {
    runAll(encodeBatch(steps, new Map()));
    return { calls, results, fault: undefined };
  } catch (error) {
    if (!(error instanceof FaultError) || error.fault.kind !== "syscall") throw error;
    return { calls, results, fault: `${error.fault.doing} ${error.fault.errno}` };
  }
}

function usedCount(steps: readonly Step[], id: number): number {
  for (const one of steps) {
    if (idOf(one) === id) return one.call.operands.length - 1;
    const inner = usedCount([...(one.onSuccess ?? []), ...(one.recovery?.steps ?? [])], id);
    if (inner >= 0) return inner;
  }
  return -1;
}

export type Options = Omit<Step, "call" | "doing"> & { readonly uses?: readonly string[] };

export function numbered(id: number, options: Options = {}): Step {
  const { uses = [], ...rest } = options;
  const name = rest.onZero === "skip" ? "clone" : "getpid";
  const made = call(name, number(id), ...uses.map((of) => fdOperand(slot(of))));
  return step(`step ${id}`, made, rest);
}

export function same(steps: readonly Step[], world: World, hint = ""): End {
  checkProgram({ parts: [batch("random", steps)] });
  const meant = interpret(steps, world);
  const done = encodeAndRun(steps, world);
  assert.equal(done.calls, meant.calls, `calls ${hint}`);
  assert.is(done.fault, meant.fault, `fault ${hint}`);
  if (meant.fault === undefined) assert.equal(done.results, meant.results, `results ${hint}`);
  return done;
}
