// Takes an init program through the stub: batch by batch, with the runtime's own part between and beside them.

import { signals, waitOptions, waitTypes } from "../abi/process.ts";
import { present } from "../base/assert.ts";
import { execute } from "../ffi/execute.ts";
import { type HostAction, type InitProgram, initPidSlot, type Part } from "../program/program.ts";
import type { Step } from "../program/step.ts";
import { kill, waitid } from "../syscall/processes.ts";
import { type Answer, readAnswer } from "./answer.ts";
import { type EncodedBatch, encodeBatch } from "./batch.ts";
import { raiseDied, receiveAnswer, sendBatch } from "./doorbell.ts";
import type { StubProcess } from "./stub-process.ts";

/** What the runtime does when the program says so; the pid is the stub's, and init's from the fork on. */
export type HostActions = Readonly<Record<HostAction, (pid: number) => void>>;

/** A stub under way: the process that will be, or is, the container's init. */
export type LiveInit = {
  pid: number;
  readonly doorbell: number;
  /** Results of all batches so far, by slot. */
  readonly results: Map<string, number>;
};

/** Begins with the stub as init; a fork on the way makes its child init. */
export function liveInit(stub: StubProcess): LiveInit {
  return { pid: stub.pid, doorbell: stub.doorbell.fd, results: new Map() };
}

/**
 * Runs the parts of the program.
 *
 * @returns the answer of the last batch
 * @throws `syscall` fault of the step that failed, `init-died` when the stub is gone
 */
export function drive(init: LiveInit, program: InitProgram, actions: HostActions): Answer {
  let answer: Answer = { results: new Map(), outputs: new Map() };
  for (const part of program.parts) {
    if (part.kind === "host") actions[part.action](init.pid);
    else answer = driveBatch(init, part, actions);
  }
  return answer;
}

function driveBatch(init: LiveInit, part: Part & { kind: "batch" }, actions: HostActions): Answer {
  const batch = encodeBatch(part.steps, init.results);
  sendBatch(init.doorbell, batch);
  for (const action of part.meanwhile) actions[action](init.pid);
  const doing = `setting up the container (${part.name})`;
  const answer = forks(part.steps)
    ? receiveFork(init, batch, doing)
    : readAnswer(batch, receiveAnswer(init.doorbell, batch) ?? raiseDied(doing));
  for (const [slot, result] of answer.results) init.results.set(slot, result);
  return answer;
}

function forks(steps: readonly Step[]): boolean {
  return steps.some(({ slot }) => slot === initPidSlot);
}

/** Both halves of the fork answer, in either order: the one that leaves has the pid, the other one is init. */
function receiveFork(init: LiveInit, batch: EncodedBatch, doing: string): Answer {
  const stubPid = init.pid;
  let rest: Answer | undefined;
  for (let pid = 0; pid === 0 || rest === undefined; ) {
    const answer = readAnswer(batch, receiveAnswer(init.doorbell, batch) ?? raiseDied(doing));
    const result = present(answer.results.get(initPidSlot), "the fork's result");
    if (result === 0) {
      rest = answer;
      continue;
    }
    pid = result;
    init.pid = pid;
  }
  // It has nothing left to do but to exit.
  execute(waitid(waitTypes.P_PID, stubPid, waitOptions.WEXITED | waitOptions.__WALL));
  return rest;
}

/** Ends init, whatever it is doing, and waits for it. For a create that has failed. */
export function endInit(init: LiveInit): void {
  execute(kill(init.pid, signals.SIGKILL));
  execute(waitid(waitTypes.P_PID, init.pid, waitOptions.WEXITED | waitOptions.__WALL));
}
