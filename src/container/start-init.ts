// Gives init its last batch, which ends in execve, and finds out whether that worked.

import { signals } from "../abi/process.ts";
import { debug } from "../base/debug.ts";
import { raise } from "../base/fault.ts";
import { openProcess, sendSignal } from "../host/processes.ts";
import { isOrdinaryUser } from "../host/rootless.ts";
import { readAnswer } from "../init/answer.ts";
import { encodeBatch } from "../init/batch.ts";
import { raiseDied, receiveAnswer, sendBatch } from "../init/doorbell.ts";
import { hideFromContainer, showToUser } from "../inside/process.ts";
import { startSteps } from "../plan/start-program.ts";
import type { Step } from "../program/step.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import { completeEnvironment } from "./environment.ts";
import { type ContainerRecord, initIdentity } from "./record.ts";
import type { ContainerPlace } from "./store.ts";

/**
 * Starts the container's program through the doorbell of its init, with the hooks that come before it.
 *
 * @param what.filterSteps steps that load a seccomp filter which is not loaded yet
 * @throws `syscall` fault of the step that failed, execve's among them, and the container ends then; `init-died`; what a
 *   hook throws
 */
export async function startInit(
  place: ContainerPlace,
  init: { readonly doorbell: number; readonly record: ContainerRecord },
  { spec, filterSteps }: { readonly spec: ValidatedSpec; readonly filterSteps: readonly Step[] },
): Promise<void> {
  const { doorbell, record } = init;
  const { tsRunc } = record;
  const { soft, hard } = tsRunc.callerOpenFiles;
  const steps = startSteps(spec.process, {
    path: tsRunc.program,
    env: completeEnvironment(spec.process.env ?? [], tsRunc),
    preserveFds: tsRunc.preserveFds,
    callerOpenFiles: { soft: BigInt(soft), hard: BigInt(hard) },
    filterSteps,
  });
  const { startContainer = [] } = spec.hooks ?? {};
  try {
    if (startContainer.length > 0) {
      const { runStartHooks } = await import("./hooks.ts");
      // A hook of an ordinary user can only join what may be looked into; nobody else is there yet.
      const shows = tsRunc.ownPidNamespace && isOrdinaryUser();
      if (shows) take(doorbell, showToUser());
      await runStartHooks(place, record, spec);
      if (shows) take(doorbell, hideFromContainer());
    }
    launch(doorbell, steps);
  } catch (error) {
    // A hook can have taken its time, and init have ended meanwhile.
    using pidfd = openProcess(initIdentity(record));
    if (pidfd !== undefined) sendSignal(pidfd, signals.SIGKILL);
    throw error;
  }
}

/** Has the stub take steps that are not its last. */
function take(doorbell: number, steps: readonly Step[]): void {
  const batch = encodeBatch(steps, new Map());
  sendBatch(doorbell, batch);
  readAnswer(
    batch,
    receiveAnswer(doorbell, batch) ?? raiseDied("running the startContainer hooks"),
  );
}

/**
 * Sends the stub its last steps. Its end of the socket closes when execve succeeds; an answer means that a step failed.
 *
 * @throws `syscall` fault of the step; `init-died`. The stub is still there then
 */
export function launch(doorbell: number, steps: readonly Step[]): void {
  const batch = encodeBatch(steps, new Map());
  sendBatch(doorbell, batch);
  const answer = receiveAnswer(doorbell, batch);
  if (answer === undefined) {
    debug(() => "init has become the program");
    return;
  }
  readAnswer(batch, answer);
  raise({
    kind: "init-died",
    doing: "starting the container",
    how: "init did not start the program",
  });
}
