// delete: takes away what create has made; with --force also what is still alive, or was left by a runtime that died.

import { errnos } from "../abi/errno.ts";
import { AT_FDCWD, atFlags } from "../abi/file.ts";
import { signals } from "../abi/process.ts";
import { debug } from "../base/debug.ts";
import { FaultError, raise } from "../base/fault.ts";
import { raiseErrno } from "../ffi/execute.ts";
import { thaw } from "../host/cgroups/freezer.ts";
import { killAll } from "../host/cgroups/processes.ts";
import { removeCgroup } from "../host/cgroups/remove.ts";
import { exists, tryRemoveDirectory } from "../host/files.ts";
import { endProcess, openProcess, sendSignal } from "../host/processes.ts";
import type { CgroupPaths } from "../plan/cgroup.ts";
import { unlinkat } from "../syscall/files.ts";
import { observeLocked } from "./observe.ts";
import { type ContainerRecord, initIdentity, readRecord } from "./record.ts";
import { requireStatus } from "./status.ts";
import {
  type ContainerPlace,
  containerPaths,
  lockDirectory,
  removeContainerDirectory,
} from "./store.ts";

export type DestroyOptions = ContainerPlace & {
  /** Told what has gone wrong, in words, and does not keep the container from being deleted. */
  readonly warn: (message: string) => void;
};

/**
 * Deletes the container.
 *
 * Spec: runtime.md#delete: MUST be an error if the container is not stopped; MUST delete what create has made, and
 * nothing that it has not.
 *
 * @param options.force kill what is alive, and accept that there is no such container
 * @throws `id`, `status`, `syscall` faults
 */
export async function deleteContainer(
  options: DestroyOptions & { readonly force: boolean },
): Promise<void> {
  const { force } = options;
  // Killing comes before the lock: whoever holds it may be waiting for the process to end.
  if (force) killForced(options);
  using directory = lockDirectory(options, force ? "bounded" : "forever");
  const record = directory === undefined ? undefined : readRecordFor(options);
  if (record === undefined) {
    if (directory !== undefined) removeContainerDirectory(options);
    if (force) return;
    raise({ kind: "id", message: "container does not exist" });
  }
  const status = observeLocked(containerPaths(options), record);
  if (!force) requireStatus("delete", options.id, status);
  if (status !== "stopped") endInit(record, status === "paused");
  await destroyContainer(options, record);
}

/** Removes cgroup and directory of a container whose init is dead, and runs its poststop hooks. */
export async function destroyContainer(
  place: DestroyOptions,
  record: ContainerRecord,
): Promise<void> {
  const { cgroup_paths: cgroups, tsRunc } = record;
  // In a pid namespace of its own everything has ended with init.
  if (!tsRunc.ownPidNamespace) killAll(cgroups, signals.SIGKILL);
  else if (tsRunc.phase === "intent") killAll(onlyMade(record), signals.SIGKILL);
  // What was there when the making was broken off is somebody else's unit.
  const isOurs = tsRunc.phase === "created" || tsRunc.madeCgroups.length > 0;
  if (tsRunc.systemdUnit !== undefined && isOurs) {
    await (await import("./unit.ts")).stopUnit(tsRunc.systemdUnit, place.warn);
  }
  removeCgroup(cgroups, tsRunc.madeCgroups);
  for (const path of tsRunc.madeResctrl ?? []) removeResctrl(path);
  removeContainerDirectory(place);
  if (tsRunc.poststop !== undefined) {
    (await import("./hooks.ts")).runPoststopHooks(record, place.warn);
  }
  debug(() => `removed ${[...tsRunc.madeCgroups, containerPaths(place).directory].join(" ")}`);
}

/** Removes a directory of resctrl, whose files go with it; that it is gone is fine. */
function removeResctrl(path: string): void {
  const result = tryRemoveDirectory(path);
  if (result >= 0 || result === -errnos.ENOENT) return;
  const call = unlinkat(AT_FDCWD, path, atFlags.AT_REMOVEDIR);
  raiseErrno(call, "removing the container's resctrl group", result);
}

/**
 * The groups that were made for the container: what is in them when its making was broken off is what a restore has left, half
 * restored.
 */
function onlyMade({ cgroup_paths: cgroups, tsRunc }: ContainerRecord): CgroupPaths {
  const made = Object.entries(cgroups).filter(([, path]) => tsRunc.madeCgroups.includes(path));
  return Object.fromEntries(made);
}

function killForced(options: ContainerPlace): void {
  const record = readRecordFor({ ...options, force: true });
  if (record === undefined || record.init_process_pid === 0) return;
  // While hooks are run its maker waits for them, however long they take.
  const { maker } = record.tsRunc;
  for (const process of [...(maker === undefined ? [] : [maker]), initIdentity(record)]) {
    using pidfd = openProcess(process);
    if (pidfd !== undefined) sendSignal(pidfd, signals.SIGKILL);
  }
}

/** The record, or undefined where there is none; with `force` also where it cannot be understood. */
function readRecordFor(
  options: ContainerPlace & { readonly force: boolean },
): ContainerRecord | undefined {
  const paths = containerPaths(options);
  if (!exists(paths.record)) return undefined;
  try {
    return readRecord(paths);
  } catch (error) {
    if (options.force && error instanceof FaultError && error.fault.kind === "refused") {
      return undefined;
    }
    throw error;
  }
}

function endInit(record: ContainerRecord, frozen: boolean): void {
  using pidfd = openProcess(initIdentity(record));
  if (pidfd === undefined) return;
  if (endProcess(pidfd, () => frozen && thaw(record.cgroup_paths))) return;
  raise({ kind: "status", message: "container init still running" });
}
