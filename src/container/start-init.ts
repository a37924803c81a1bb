// Gives init its last batch, which ends in execve, and finds out whether that worked.

import { debug } from "../base/debug.ts";
import { raise } from "../base/fault.ts";
import { waitForAny } from "../host/poll.ts";
import { endProcess, openProcess, readExecutable, readProcessStat } from "../host/processes.ts";
import { isOrdinaryUser } from "../host/rootless.ts";
import { readAnswer } from "../init/answer.ts";
import { encodeBatch } from "../init/batch.ts";
import { raiseDied, receiveAnswer, receiveLastAnswer, sendBatch } from "../init/doorbell.ts";
import type { LiveInit } from "../init/drive.ts";
import { hideFromContainer, initName, showToUser } from "../inside/process.ts";
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
    launch({ doorbell, pid: record.init_process_pid }, steps);
  } catch (error) {
    // A hook can have taken its time, and init have ended meanwhile.
    using pidfd = openProcess(initIdentity(record));
    if (pidfd !== undefined) endProcess(pidfd);
    throw (await import("./oom.ts")).explainOom(error, record.cgroup_paths);
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
 * @throws `syscall` fault of the step, the stub is still there then; `init-died`
 */
export function launch(stub: Pick<LiveInit, "doorbell" | "pid">, steps: readonly Step[]): void {
  const batch = encodeBatch(steps, new Map());
  sendBatch(stub.doorbell, batch);
  const doing = "starting the program";
  const answer = receiveLastAnswer(stub.doorbell, batch, doing);
  if (answer === undefined) {
    if (!hasExecuted(stub.pid)) raiseDied(doing);
    debug(() => "init has become the program");
    return;
  }
  readAnswer(batch, answer);
  raise({ kind: "init-died", doing, how: "init did not start the program" });
}

/** How often to look at a process that is between two states, which takes it microseconds. */
const looksMax = 1000;

/**
 * Whether a stub whose end of the socket has closed has executed the program: it closes as well when the stub is killed. Who
 * dies gives its memory back, and with it its executable, before its descriptors; who executes gets the new one before.
 */
function hasExecuted(pid: number): boolean {
  if (readExecutable(pid) !== undefined) return true;
  // It is dead, a program that ended at once, or not ours to look into: then the name tells, which follows the descriptors.
  for (let looks = 0; looks < looksMax; looks += 1) {
    const stat = readProcessStat(pid);
    // Its parent may have been faster, and nobody can tell any more: what the kernel keeps of a process that has been reaped,
    // PIDFD_INFO_EXIT of a pidfd, is its exit status, which is the same for a stub and for a program that was killed.
    if (stat === undefined || stat.name !== initName) return true;
    if (stat.state === "Z" || stat.state === "X") return false;
    waitForAny([{ fd: -1, events: 0 }], 1);
  }
  return true;
}
