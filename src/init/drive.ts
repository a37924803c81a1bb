// Takes an init program through the stub: batch by batch, with the runtime's own part between and beside them.

import { signals, waitOptions, waitTypes } from "../abi/process.ts";
import { pollEvents } from "../abi/socket.ts";
import { readField, siginfo } from "../abi/struct.ts";
import { present } from "../base/assert.ts";
import { debug } from "../base/debug.ts";
import { during } from "../base/fault.ts";
import { execute, executeForOutput } from "../ffi/execute.ts";
import { type HostAction, initPidSlot, type Part } from "../program/program.ts";
import type { Stages, Step } from "../program/step.ts";
import { kill, waitid } from "../syscall/processes.ts";
import { ppoll } from "../syscall/sockets.ts";
import { type Answer, readAnswer } from "./answer.ts";
import { type EncodedBatch, encodeBatch, encodeRest } from "./batch.ts";
import { raiseDied, receiveAnswer, sendBatch } from "./doorbell.ts";
import type { StubProcess } from "./stub-process.ts";

/** What the runtime does when the program says so; the pid is the stub's, and init's from the fork on. */
export type HostActions = Readonly<Record<HostAction, (pid: number, of: string) => void>>;

/** A stub under way: the process that will be, or is, the container's init. */
export type LiveInit = {
  pid: number;
  readonly doorbell: number;
  /** The number of the stub's end. */
  readonly stubDoorbell: number;
  /** Results of all batches so far, by slot. */
  readonly results: Map<string, number>;
};

/** Begins with the stub as init; a fork on the way makes its child init. */
export function liveInit(stub: StubProcess): LiveInit {
  const { pid, doorbell, stubDoorbell } = stub;
  return { pid, doorbell: doorbell.fd, stubDoorbell, results: new Map() };
}

/**
 * Runs the parts of the program; `actions` are those that it asks for. While the stub executes a batch, the next one is planned and, if it needs no result of
 * this one, encoded.
 *
 * @returns the answer of the last batch
 * @throws `syscall` fault of the step that failed, `init-died` when the stub is gone
 */
export function drive(
  init: LiveInit,
  program: { readonly parts: Iterable<Part> },
  actions: Partial<HostActions> = {},
): Answer {
  const act = (action: HostAction, of = ""): void => {
    present(actions[action], action)(init.pid, of);
    debug(() => `runtime: ${action}`);
  };
  let answer: Answer = { results: new Map(), outputs: new Map() };
  const parts = program.parts[Symbol.iterator]();
  let prepared: EncodedBatch | undefined;
  for (let next = parts.next(); next.done !== true; ) {
    const part = next.value;
    if (part.kind === "host") {
      act(part.action, part.of);
      next = parts.next();
      continue;
    }
    const batch = prepared ?? encodeBatch(part.steps, init.results, part);
    sendBatch(init.doorbell, batch);
    for (const action of part.meanwhile) act(action);
    next = parts.next();
    prepared = prepare(next);
    answer = during(initError, () => receiveBatch(init, part, batch));
    debug(() => `init ${init.pid}: ${part.name}`);
  }
  return answer;
}

/** runc's words for whatever goes wrong in the container's own process. */
const initError = "error during container init";

function prepare(next: IteratorResult<Part, unknown>): EncodedBatch | undefined {
  if (next.done === true || next.value.kind === "host" || !next.value.independent) return undefined;
  return encodeBatch(next.value.steps, new Map(), next.value);
}

function receiveBatch(init: LiveInit, part: Part & { kind: "batch" }, batch: EncodedBatch): Answer {
  const doing = `setting up the container (${part.name})`;
  return batch.local.has(initPidSlot)
    ? remember(init, receiveFork(init, batch, doing))
    : receiveAll(init, batch, doing);
}

/** So many rare things do not happen to one batch. */
const interruptionsMax = 1000;

/** Receives the answer; where a rare recovery has interrupted the batch, has that executed and the batch go on. */
function receiveAll(init: LiveInit, sent: EncodedBatch, doing: string): Answer {
  let batch = sent;
  for (let times = 0; times < interruptionsMax; times += 1) {
    const bytes = receiveAnswer(init.doorbell, batch) ?? raiseDied(doing);
    const answer = remember(init, readAnswer(batch, bytes));
    if (answer.interrupted === undefined) return answer;
    const { at, recovery } = answer.interrupted;
    const repair = (steps: readonly Step[]): Answer => {
      const encoded = encodeBatch(steps, init.results);
      sendBatch(init.doorbell, encoded);
      return receiveAll(init, encoded, doing);
    };
    if (recovery.stages !== undefined) repairInStages(recovery.stages(), repair);
    else if (recovery.steps.length > 0) repair(recovery.steps);
    const behind = present(batch.lines[at], "the record that was interrupted").after;
    const from = recovery.next === "retry" ? at : behind;
    batch = encodeRest(batch, { from, answer: bytes, known: init.results });
    sendBatch(init.doorbell, batch);
  }
  // Somebody takes away what we make as fast as we make it.
  return raiseDied(`${doing}: interrupted again and again`);
}

function repairInStages(stages: Stages, repair: (steps: readonly Step[]) => Answer): void {
  let next = stages.next();
  while (next.done !== true) next = stages.next(repair(next.value));
}

function remember(init: LiveInit, answer: Answer): Answer {
  for (const [slot, result] of answer.results) init.results.set(slot, result);
  return answer;
}

/** Both halves of the fork answer, in either order: the one that leaves has the pid, the other one is init. */
function receiveFork(init: LiveInit, batch: EncodedBatch, doing: string): Answer {
  const stubPid = init.pid;
  let rest: Answer | undefined;
  for (let pid = 0; pid === 0 || rest === undefined; ) {
    if (rest !== undefined) awaitTeller(init.doorbell, { pid: stubPid, doing });
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

/** How often to look whether the half that has to tell the pid is still there. */
const lookEveryMs = 50;

/**
 * Waits until there is an answer to read. When the half that leaves is killed before it has told the pid, no end of file
 * says so: its child holds the other end.
 */
function awaitTeller(
  doorbell: number,
  teller: { readonly pid: number; readonly doing: string },
): void {
  const answered = (timeoutMs: number): boolean =>
    execute(ppoll(doorbell, pollEvents.POLLIN, timeoutMs)) !== 0;
  while (!answered(lookEveryMs)) {
    // It may have told and ended since the last look.
    if (hasEnded(teller.pid) && !answered(0)) raiseDied(teller.doing);
  }
}

/** Whether a child of ours has ended; it is left to be reaped. */
export function hasEnded(pid: number): boolean {
  const { WEXITED, WNOHANG, WNOWAIT, __WALL } = waitOptions;
  const call = waitid(waitTypes.P_PID, pid, WEXITED | WNOHANG | WNOWAIT | __WALL);
  const { result, output } = executeForOutput(call);
  return result < 0 || readField(siginfo, output, "si_pid") !== 0;
}

/** Ends init, whatever it is doing, and waits for it. For a create that has failed. */
export function endInit(init: LiveInit): void {
  execute(kill(init.pid, signals.SIGKILL));
  execute(waitid(waitTypes.P_PID, init.pid, waitOptions.WEXITED | waitOptions.__WALL));
}
