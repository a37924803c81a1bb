// kill: a signal to the container's init, or to all its processes where init's end would leave some.

import { errnos } from "../abi/errno.ts";
import { signals } from "../abi/process.ts";
import { debug } from "../base/debug.ts";
import { raise } from "../base/fault.ts";
import { raiseErrno } from "../ffi/execute.ts";
import { thaw } from "../host/cgroups/freezer.ts";
import { killAll } from "../host/cgroups/processes.ts";
import { openProcess, sendSignal } from "../host/processes.ts";
import { pidfdSendSignal } from "../syscall/processes.ts";
import { observe } from "./observe.ts";
import { type ContainerRecord, initIdentity, readRecord } from "./record.ts";
import { requireStatus } from "./status.ts";
import { type ContainerPlace, containerPaths } from "./store.ts";

/**
 * Sends the signal.
 *
 * Spec: runtime.md#kill: MUST be an error if the container is neither created nor running.
 *
 * @param options.all only silences that the container has stopped, as with runc
 * @throws `id`, `status`, `syscall` faults
 */
export function killContainer(
  options: ContainerPlace & { readonly signal: number; readonly all: boolean },
): void {
  const { id, signal, all } = options;
  const paths = containerPaths(options);
  const record = readRecord(paths);
  const status = observe(paths, record);
  const killsAll = signal === signals.SIGKILL && !record.tsRunc.ownPidNamespace;
  if (status === "stopped") {
    // Without a pid namespace of its own, processes may be left although init has gone.
    if (killsAll) killAll(record.cgroup_paths, signal);
    if (killsAll || all) return;
  }
  requireStatus("kill", id, status);
  if (killsAll) killAll(record.cgroup_paths, signal);
  else signalInit(record, signal);
  // A frozen process of cgroup v1 does not die; on v2 it does, and thawing an empty group does no harm.
  if (status === "paused" && signal === signals.SIGKILL) thaw(record.cgroup_paths);
}

/** Signals init through a pidfd, so that a process which has got its number since is never hit. */
function signalInit(record: ContainerRecord, signal: number): void {
  using pidfd = openProcess(initIdentity(record));
  debug(() => `signal ${signal} to process ${record.init_process_pid}`);
  const result = pidfd === undefined ? -errnos.ESRCH : sendSignal(pidfd, signal);
  if (result === -errnos.ESRCH) raise({ kind: "status", message: "container not running" });
  if (result < 0) raiseErrno(pidfdSendSignal(0, signal), "signalling the container", result);
}
