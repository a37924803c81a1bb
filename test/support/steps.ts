// Runs the same sequence of system calls through FFI in this process and by a stub, and gives what came of each.

import { signals, waitOptions, waitTypes } from "../../src/abi/process.ts";
import { present } from "../../src/base/assert.ts";
import { execute, executeForOutput } from "../../src/ffi/execute.ts";
import { readAnswer } from "../../src/init/answer.ts";
import { encodeBatch } from "../../src/init/batch.ts";
import { receiveAnswer, sendBatch } from "../../src/init/doorbell.ts";
import { type StubProcess, startStub } from "../../src/init/stub-process.ts";
import { ignoreAny, step } from "../../src/program/step.ts";
import { kill, waitid } from "../../src/syscall/processes.ts";
import { number, type Operand, outputSize, type Syscall } from "../../src/syscall/value.ts";

/** Calls by the slots that name their results. */
export type Sequence = readonly (readonly [slot: string, call: Syscall])[];

export type Outcome = { readonly result: number; readonly output: Uint8Array };

/** What came of the calls that were executed. */
export type Outcomes = ReadonlyMap<string, Outcome>;

/** Executes the calls one by one in this process. */
export function runHere(sequence: Sequence): Outcomes {
  const outcomes = new Map<string, Outcome>();
  const resolve = (operand: Operand): Operand =>
    operand.kind === "result" ? number(outcomes.get(operand.value)?.result ?? -1) : operand;
  for (const [slot, { name, operands }] of sequence) {
    outcomes.set(slot, executeForOutput({ name, operands: operands.map(resolve) }));
  }
  return outcomes;
}

/** A stub with copies of our descriptors. Disposing of it kills it. */
export class StubRunner implements Disposable {
  readonly #stub: StubProcess;

  constructor(descriptors: readonly { readonly from: number; readonly to: number }[]) {
    this.#stub = startStub({ doorbellFd: 3, descriptors });
  }

  get pid(): number {
    return this.#stub.pid;
  }

  get doorbell(): number {
    return this.#stub.doorbell.fd;
  }

  /** Has the stub execute the calls as one batch. */
  run(sequence: Sequence): Outcomes {
    const steps = sequence.map(([slot, call]) =>
      step(`executing ${call.name}`, call, { slot, recovery: ignoreAny }),
    );
    const encoded = encodeBatch(steps, new Map());
    sendBatch(this.doorbell, encoded);
    const bytes = present(receiveAnswer(this.doorbell, encoded), "the answer of the stub");
    const { results, outputs } = readAnswer(encoded, bytes);
    return new Map(
      sequence.flatMap(([slot, call]): [string, Outcome][] => {
        const result = results.get(slot);
        if (result === undefined) return [];
        const sizeBytes = outputSize(call);
        // An output is all that lies behind its place.
        const output = outputs.get(slot)?.slice(0, sizeBytes) ?? new Uint8Array(sizeBytes);
        return [[slot, { result, output }]];
      }),
    );
  }

  [Symbol.dispose](): void {
    this.#stub.doorbell[Symbol.dispose]();
    execute(kill(this.pid, signals.SIGKILL));
    execute(waitid(waitTypes.P_PID, this.pid, waitOptions.WEXITED));
  }
}
