// restore: makes a container of what a checkpoint has saved. CRIU makes its processes, namespaces and mounts; everything
// around them is made here, as create does.
//
//   runtime                            stub, in the end CRIU                       restored init
//     |  directory, record               |
//     |  spawn ------------------------->|
//     |  batch "root to restore onto" -->|  own mount namespace, rootfs a mount
//     |  cgroup made, joined for it, limits; or a unit, from systemd
//     |  batch, ends in execve --------->|  criu swrk
//     |  RESTORE ----------------------->|  ------------------------------------------>|  (a child of ours)
//     |<- orphan-pts-master, terminal ---|
//     |<- post-restore, pid -------------|
//     |  record written, done ---------->|                                             |  goes on
//     |<- RESTORE, success --------------|  exit

import { fcntlCommands } from "../abi/file.ts";
import { debug } from "../base/debug.ts";
import { raise } from "../base/fault.ts";
import { UndoStack } from "../base/undo-stack.ts";
import { must } from "../ffi/execute.ts";
import { enterDelegated } from "../host/cgroups/make.ts";
import { removeCgroup } from "../host/cgroups/remove.ts";
import type { Notification } from "../host/criu/service.ts";
import { type OwnedFd, own, tryRemoveDirectory } from "../host/files.ts";
import { bringLoopbackUp } from "../host/loopback.ts";
import { namespacesOf } from "../host/processes.ts";
import { sendMaster } from "../host/terminal.ts";
import { endInit } from "../init/drive.ts";
import { newNamespaces } from "../inside/namespaces.ts";
import { namespacesLeftAlone } from "../plan/checkpoint.ts";
import { restoreLog } from "../plan/restore.ts";
import { fcntl } from "../syscall/files.ts";
import { refuseIdmapped, refuseRootless, requireCriu, requireLeavingAlone } from "./criu-caller.ts";
import { intendedRecord, keepConfig, readLateFacts, warnOfConfig } from "./make.ts";
import type { Prepared } from "./prepare.ts";
import { type ContainerRecord, namespacePaths, writeRecord } from "./record.ts";
import { type RestoreOptions, rootPlace, startRestore } from "./start-criu.ts";
import { claimDirectory, containerPaths, removeContainerDirectory } from "./store.ts";

export type RestoredContainer = {
  readonly pid: number;
  readonly record: ContainerRecord;
  /** The master of the container's terminal, if it has one and no console socket has got it. */
  readonly terminal: OwnedFd | undefined;
  /** Opened and locked. */
  readonly directory: OwnedFd;
  /** Takes everything back. */
  readonly undo: () => Promise<void>;
};

/** Who is waiting for what comes of a restore. */
export type RestoreListeners = {
  /** Where the terminal's master is sent. */
  readonly console: OwnedFd | undefined;
  /** Told of init, before it goes on. */
  readonly restored: (pid: number) => void;
};

/**
 * Restores the container, which runs then.
 *
 * @throws `id` fault when there is one of that id; `host` when CRIU is missing, too old, or fails; nothing is left then
 */
export async function restoreContainer(
  options: RestoreOptions,
  prepared: Prepared,
  listeners: RestoreListeners,
): Promise<RestoredContainer> {
  refuseRootless("restore", options.warn);
  refuseIdmapped(prepared.spec);
  const criu = await import("../host/criu/service.ts");
  const { openCriuDirectories } = await import("../host/criu/directories.ts");
  const { quoteCriuLog } = await import("../host/criu/log.ts");
  const directory = claimDirectory(options);
  const undo = new UndoStack();
  undo.use(directory);
  const known: { intent?: ContainerRecord } = {};
  undo.defer(() => {
    if (known.intent !== undefined) prepared.hooks?.runPoststopHooks(known.intent, options.warn);
  });
  undo.defer(() => removeContainerDirectory(options));
  const takeBack = async (): Promise<void> => {
    undo.dispose();
    await prepared.systemd?.stop(options.warn);
  };
  try {
    const intent = intendedRecord(options, prepared);
    known.intent = intent;
    writeRecord(containerPaths(options), intent);
    const version = requireCriu(criu.readCriuVersion);
    checkVersion(options, prepared, version);
    const paths = { images: options.imagePath, work: options.workPath };
    using directories = openCriuDirectories(paths);
    const log = `${directories.logs}/${restoreLog}`;
    const made: string[] = [];
    undo.defer(() => removeCgroup(prepared.cgroup.paths, made));
    keepConfig(options, prepared.configText);
    warnOfConfig(options, prepared);
    const seen: Seen = {};
    try {
      const started = await startRestore({ options, prepared, directory, undo, made }, criu);
      criu.converse(() => started, {
        notified: (notification) => {
          act(notification, { options, prepared, undo, listeners, seen, intent, made });
        },
      });
    } catch (error) {
      for (const line of quoteCriuLog(log)) options.warn(line);
      throw error;
    } finally {
      tryRemoveDirectory(rootPlace(directory));
    }
    // CRIU restores no controllers, and without a cgroup namespace it takes the group above for the container's.
    enterDelegated(prepared.cgroup);
    const { record, terminal } = seen;
    if (record === undefined) {
      return raise({
        kind: "host",
        message: "criu failed: it did not say which process it restored",
      });
    }
    const { init_process_pid: pid } = record;
    debug(() => `restored ${options.id}, init ${pid}`);
    return { pid, record, terminal, directory, undo: takeBack };
  } catch (error) {
    await takeBack();
    throw error;
  }
}

/** What has come of it so far. */
type Seen = { record?: ContainerRecord; terminal?: OwnedFd };

/** CRIU older than that has a bug in setting another label. */
const labelsVersion = 31600;

function checkVersion(options: RestoreOptions, { spec }: Prepared, version: number): void {
  requireLeavingAlone(namespacesLeftAlone(spec.linux ?? {}), {
    version,
    process: "the restoration",
  });
  const given = [
    ...(options.lsmProfile === undefined ? [] : ["--lsm-profile"]),
    ...(options.lsmMountContext === undefined ? [] : ["--lsm-mount-context"]),
  ];
  for (const name of given) {
    if (version >= labelsVersion) continue;
    raise({ kind: "host", message: `${name} requires at least CRIU 3.16` });
  }
}

/** What is done when CRIU says something. Networks are not unlocked: they have not been locked. */
function act(
  { script, pid, descriptor }: Notification,
  around: {
    readonly options: RestoreOptions;
    readonly prepared: Prepared;
    readonly undo: UndoStack;
    readonly listeners: RestoreListeners;
    readonly seen: Seen;
    readonly intent: ContainerRecord;
    readonly made: readonly string[];
  },
): void {
  const { options, prepared, undo, listeners, seen, intent, made } = around;
  if (script === "orphan-pts-master" && descriptor !== undefined) {
    if (listeners.console !== undefined) sendMaster(listeners.console, descriptor);
    else seen.terminal = undo.use(keep(descriptor));
  }
  if (script === "setup-namespaces") {
    fillNetwork(pid, prepared, undo);
    const waiting = { ...intent, ...readLateFacts(pid, prepared.spec) };
    prepared.hooks?.runRuntimeHooks(waiting, prepared.spec);
  }
  if (script !== "post-restore") return;
  undo.defer(() => endInit({ pid, doorbell: -1, stubDoorbell: -1, results: new Map() }));
  const record: ContainerRecord = {
    ...intent,
    ...readLateFacts(pid, prepared.spec),
    // CRIU gives a time namespace to who had none, so that clocks go on.
    namespace_paths: namespacePaths(pid, namespacesOf(pid).includes("time")),
    tsRunc: { ...intent.tsRunc, phase: "created", madeCgroups: made },
  };
  // Whoever looks at the container finds it, from the first moment in which it runs.
  writeRecord(containerPaths(options), record);
  seen.record = record;
  listeners.restored(pid);
}

/** A new network namespace gets what it has from `create`, too: CRIU restores none of it. */
function fillNetwork(pid: number, prepared: Prepared, undo: UndoStack): void {
  const listed = prepared.spec.linux?.namespaces ?? [];
  if (newNamespaces(listed).includes("network")) bringLoopbackUp(pid);
  const moved = prepared.moveNetDevices?.(pid);
  if (moved !== undefined) undo.use(moved);
}

/** The message's own is closed with it. */
function keep(descriptor: OwnedFd): OwnedFd {
  const doing = "keeping the terminal";
  return own(must(fcntl(descriptor.fd, fcntlCommands.F_DUPFD_CLOEXEC, 3), doing));
}
