// Makes a container up to the point where only the program is left to be started; undone when anything fails.

import { openFlags } from "../abi/file.ts";
import { present } from "../base/assert.ts";
import { debug } from "../base/debug.ts";
import { during, FaultError, raise } from "../base/fault.ts";
import { UndoStack } from "../base/undo-stack.ts";
import { wordViolation } from "../base/word-fault.ts";
import { execute, must } from "../ffi/execute.ts";
import { applyResources } from "../host/cgroups/apply.ts";
import { enterDelegated, makeCgroup } from "../host/cgroups/make.ts";
import { removeCgroup } from "../host/cgroups/remove.ts";
import { readStandardStreams, releasePreservedFds } from "../host/facts.ts";
import { exists, type OwnedFd, openFile, writeAll } from "../host/files.ts";
import { writeIdMaps } from "../host/id-maps.ts";
import { readProcessStat, setOomScore } from "../host/processes.ts";
import { writeTimeOffsets } from "../host/time-offsets.ts";
import type { Answer } from "../init/answer.ts";
import { drive, endInit, type HostActions, type LiveInit, liveInit } from "../init/drive.ts";
import { obtainDescriptor } from "../init/obtain.ts";
import { startStub } from "../init/stub-process.ts";
import { planScheduling } from "../inside/attributes.ts";
import { mountDoing } from "../inside/mounts/attach.ts";
import { joinedNamespaces, namespacesNotJoined, newNamespaces } from "../inside/namespaces.ts";
import { effectiveLimits, limitsUntilStart } from "../inside/rlimits.ts";
import { plannedDirectories } from "../plan/cgroup.ts";
import { createParts, parkingPart } from "../plan/create-program.ts";
import { doorbellFd, idmapFd, listenerFd, masterFd, notifyFd } from "../plan/host-facts.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import { findWarnings } from "../spec/warnings.ts";
import { geteuid, prlimit } from "../syscall/processes.ts";
import { homeIn } from "./environment.ts";
import { findProgram } from "./find-program.ts";
import { makeListener } from "./listener.ts";
import { explainOom } from "./oom.ts";
import type { CreateOptions, Prepared } from "./prepare.ts";
import { type ContainerRecord, namespacePaths, newRecord, writeRecord } from "./record.ts";
import { claimDirectory, containerPaths, removeContainerDirectory } from "./store.ts";

/** A container whose init waits for its last batch. */
export type MadeContainer = {
  readonly init: LiveInit;
  readonly record: ContainerRecord;
  /** The master of the container's terminal, if it has one. */
  readonly terminal: OwnedFd | undefined;
  /** Opened and locked. */
  readonly directory: OwnedFd;
  /** Parks init, so that it lives on without us. */
  readonly park: () => void;
  /** Takes everything back. */
  readonly undo: () => Promise<void>;
};

/**
 * Makes the container's directory, cgroup and init. Run by the runtime.
 *
 * The record is written before the first effect, so that `delete --force` can clear away what a runtime that was killed
 * has left: its init dies by itself, directories and groups do not.
 *
 * @param fate whether init will wait for `start`, or get its last batch from us
 * @throws FaultError; nothing is left then
 */
export async function makeContainer(
  options: CreateOptions,
  prepared: Prepared,
  fate: "parked" | "started",
): Promise<MadeContainer> {
  const directory = claimDirectory(options);
  const undo = new UndoStack();
  undo.use(directory);
  const known: { intent?: ContainerRecord } = {};
  try {
    undo.defer(() => {
      if (known.intent !== undefined) prepared.hooks?.runPoststopHooks(known.intent, options.warn);
    });
    undo.defer(() => removeContainerDirectory(options));
    const intent = intendedRecord(options, prepared);
    known.intent = intent;
    writeRecord(containerPaths(options), intent);
    return await makeInit({ options, prepared, fate, intent, directory, undo });
  } catch (error) {
    undo.dispose();
    await prepared.systemd?.stop(options.warn);
    const { explainCapabilities } = await import("./lacking-capabilities.ts");
    throw explainCapabilities(error, prepared.spec.process.capabilities);
  }
}

async function makeInit(container: {
  readonly options: CreateOptions;
  readonly prepared: Prepared;
  readonly fate: "parked" | "started";
  readonly intent: ContainerRecord;
  readonly directory: OwnedFd;
  readonly undo: UndoStack;
}): Promise<MadeContainer> {
  const { options, prepared, intent, directory, undo } = container;
  const { cgroup, facts, spec } = prepared;
  // An init that is started at once needs no socket to be called on.
  using listener = container.fate === "parked" ? makeListener(directory) : undefined;
  using notify = prepared.makeNotifyMount?.(directory);
  using idmaps = prepared.openIdmaps?.();
  releasePreservedFds(facts.preserveFds);
  const stub = startStub({
    doorbellFd: doorbellFd(facts.preserveFds),
    directory: containerPaths(options).directory,
    descriptors: [
      ...(listener === undefined ? [] : [{ from: listener.fd, to: listenerFd(facts.preserveFds) }]),
      ...(notify === undefined ? [] : [{ from: notify.fd, to: notifyFd(facts.preserveFds) }]),
      ...(idmaps?.fds ?? []).map((from, source) => ({
        from,
        to: idmapFd(facts.preserveFds, source),
      })),
    ],
  });
  undo.use(stub.doorbell);
  const made: string[] = [];
  // A group can be removed once its processes have ended: this is undone after the next line.
  undo.defer(() => removeCgroup(cgroup.paths, made));
  const init = liveInit(stub);
  undo.defer(() => endInit(init));
  const { oomScoreAdj } = spec.process;
  if (oomScoreAdj !== undefined) setOomScore(init.pid, oomScoreAdj);
  // Everything that the stub starts is born in the unit.
  if (prepared.systemd !== undefined) await prepared.systemd.start(init.pid);
  const late: { facts?: LateFacts } = {};
  const actions: HostActions = {
    ...hostActions(prepared, made),
    "enter-resctrl": (pid) => {
      const entered = prepared.resctrl?.enter(pid);
      if (entered !== undefined) undo.use(entered);
    },
    "move-net-devices": (pid) => {
      const moved = prepared.moveNetDevices?.(pid);
      if (moved !== undefined) undo.use(moved);
    },
    "copy-up": (_, index) => {
      const mount = present(spec.mounts?.[Number(index)], "the mount");
      const { destination } = mount;
      prepared.copyUp?.(init, { doing: mountDoing(mount), name: `mount${index}`, destination });
    },
    "run-hooks": (pid) => {
      const record = { ...intent, ...readLateFacts(pid, spec) };
      // runc's words, although not all of them are run by init.
      during("error during container init", () =>
        prepared.hooks?.runCreationHooks(options, record, spec),
      );
    },
    "send-listener": () => prepared.filter?.sendListener(init),
    "keep-config": (pid) => {
      keepConfig(options, prepared.configText);
      prepared.filter?.keep();
      warnOfConfig(options, prepared);
      late.facts = readLateFacts(pid, spec);
    },
  };
  const setUp = (): Answer => {
    try {
      return drive(init, { parts: createParts(spec, facts) }, actions);
    } catch (error) {
      throw explainOom(error, cgroup.paths);
    }
  };
  const found = during("unable to start container process", () => {
    const answer = setUp();
    refuseNotJoined(prepared, init);
    const program = present(spec.process.args[0], "args[0]");
    const path = findProgram(program, spec.process.env ?? [], answer);
    drive(init, { parts: facts.filter?.behind ?? [] }, actions);
    return { path, home: homeIn(answer, spec.process.user?.uid ?? 0) };
  });
  if (prepared.systemd !== undefined) {
    await prepared.systemd.setResources();
    applyDeviceRules(prepared);
    applyResources(cgroup, "limits");
  }
  const record = completeRecord(intent, {
    late: present(late.facts, "what is known of init"),
    made,
    ...found,
  });
  writeRecord(containerPaths(options), record);
  debug(() => `made ${made.length} cgroup directories; the program is ${found.path}`);
  const terminal =
    spec.process.terminal === true
      ? obtainDescriptor(init, masterFd(facts.preserveFds), "fetching the terminal")
      : undefined;
  if (terminal !== undefined) undo.use(terminal);
  return {
    init,
    record,
    terminal,
    directory,
    park: () => {
      drive(init, { parts: [parkingPart(spec, facts)] }, actions);
    },
    undo: async () => {
      undo.dispose();
      await prepared.systemd?.stop(options.warn);
    },
  };
}

/** What the runtime does when the program says so. The directories that it makes are added to `made`. */
function hostActions(
  { spec, cgroup, facts, rootless }: Prepared,
  made: string[],
): Omit<
  HostActions,
  "copy-up" | "enter-resctrl" | "keep-config" | "move-net-devices" | "run-hooks" | "send-listener"
> {
  const { uidMappings = [], gidMappings = [] } = spec.linux ?? {};
  return {
    "make-cgroup": () => {
      made.push(...makeCgroup(cgroup));
    },
    "delegate-cgroup": () => enterDelegated(cgroup),
    "write-id-maps": (pid) => writeIdMaps(pid, { uids: uidMappings, gids: gidMappings }),
    "write-time-offsets": (pid) => writeTimeOffsets(pid, spec.linux?.timeOffsets),
    "apply-device-rules": () => applyDeviceRules({ cgroup, rootless }),
    "apply-limits": () => applyResources(cgroup, "limits"),
    "set-rlimits": (pid) => {
      const limits = effectiveLimits(spec.process.rlimits ?? [], facts.callerOpenFiles);
      for (const limit of limitsUntilStart(limits)) {
        // What cannot be set from here, init tries itself, and its word counts.
        execute(prlimit(pid, limit));
      }
    },
    "set-scheduling": (pid) => {
      for (const { call, doing } of planScheduling(spec.process, pid)) must(call, doing);
    },
  };
}

function applyDeviceRules({ cgroup, rootless }: Pick<Prepared, "cgroup" | "rootless">): void {
  if (rootless) bearRefusal(() => applyResources(cgroup, "devices"));
  else applyResources(cgroup, "devices");
}

/** Device rules are never an ordinary user's to make: it has no devices but those that the host's rights give it. */
function bearRefusal(action: () => void): void {
  try {
    action();
  } catch (error) {
    const refused =
      error instanceof FaultError &&
      error.fault.kind === "syscall" &&
      ["EPERM", "EACCES", "EROFS"].includes(error.fault.errno);
    if (!refused) throw error;
    debug(() => "device rules are left to the host's rights");
  }
}

/** Spec: config-linux.md#namespaces: an error when the namespace of a path cannot be joined. */
function refuseNotJoined({ spec }: Prepared, init: LiveInit): void {
  const joined = joinedNamespaces(spec.linux?.namespaces ?? []);
  const [missing] = namespacesNotJoined(joined, init.results);
  if (missing === undefined) return;
  raise({
    kind: "refused",
    message: `joining the ${missing.type} namespace ${missing.path}: operation not permitted`,
  });
}

/** Spec: config.md#linux-process: a capability that cannot be mapped to the kernel SHOULD be warned of. */
export function warnOfConfig(options: CreateOptions, { cgroup, spec }: Prepared): void {
  for (const oddity of findWarnings(spec)) options.warn(wordViolation(oddity));
  for (const { property, because } of cgroup.ignored) {
    options.warn(`ignoring linux.resources.${property}: ${because}`);
  }
}

/** Keeps the config as it was accepted: later edits of the bundle's do not count. */
export function keepConfig(options: CreateOptions, text: string): void {
  const doing = "keeping the config";
  const flags = openFlags.O_WRONLY | openFlags.O_CREAT | openFlags.O_EXCL;
  using file = openFile(containerPaths(options).config, { flags, mode: 0o600, doing });
  writeAll(file.fd, text, doing);
}

/** The record before the first effect: what is about to be made. */
export function intendedRecord({ id, bundle }: CreateOptions, prepared: Prepared): ContainerRecord {
  const { cgroup, facts, rootfs, spec, listenFds, resctrl } = prepared;
  const { soft, hard } = facts.callerOpenFiles;
  const { initial: initialAffinity = "" } = spec.process.execCPUAffinity ?? {};
  const { poststop = [] } = spec.hooks ?? {};
  return newRecord({
    id,
    init_process_pid: 0,
    init_process_start: 0,
    created: new Date().toISOString(),
    rootless: prepared.rootless && facts.ordinaryUser,
    cgroup_paths: cgroup.paths,
    namespace_paths: {},
    external_descriptors: [],
    intel_rdt_path: resctrl?.group ?? "",
    ...(resctrl?.monitoring === undefined ? {} : { intel_rdt_mon_path: resctrl.monitoring }),
    tsRunc: {
      ociVersion: spec.ociVersion,
      bundle,
      rootfs,
      annotations: spec.annotations ?? {},
      ownerUid: execute(geteuid()),
      phase: "intent",
      program: "",
      home: "/",
      preserveFds: facts.preserveFds,
      listenFds,
      notifies: facts.notifies,
      noNewKeyring: facts.keyring === undefined,
      filter: prepared.filter?.record,
      ...(initialAffinity === "" ? {} : { initialAffinity }),
      ...(poststop.length === 0 ? {} : { poststop }),
      ownPidNamespace: newNamespaces(spec.linux?.namespaces ?? []).includes("pid"),
      // What is missing now is what we are about to make.
      madeCgroups: plannedDirectories(cgroup).filter((path) => !exists(path)),
      ...(prepared.systemd === undefined ? {} : { systemdUnit: prepared.systemd.place }),
      ...(resctrl === undefined ? {} : { madeResctrl: resctrl.missing }),
      callerOpenFiles: { soft: `${soft}`, hard: `${hard}` },
    },
  });
}

/** What the record says of init and of our descriptors. */
type LateFacts = Pick<
  ContainerRecord,
  "init_process_pid" | "init_process_start" | "namespace_paths" | "external_descriptors"
>;

/** Reads what is known once there is an init. */
export function readLateFacts(pid: number, { linux }: ValidatedSpec): LateFacts {
  const time = (linux?.namespaces ?? []).some(({ type }) => type === "time");
  return {
    init_process_pid: pid,
    init_process_start: readProcessStat(pid)?.startTimeTicks ?? 0,
    namespace_paths: namespacePaths(pid, time),
    external_descriptors: readStandardStreams(),
  };
}

function completeRecord(
  intent: ContainerRecord,
  facts: {
    readonly late: LateFacts;
    readonly made: readonly string[];
    readonly path: string;
    readonly home: string;
  },
): ContainerRecord {
  return {
    ...intent,
    ...facts.late,
    tsRunc: {
      ...intent.tsRunc,
      phase: "created",
      program: facts.path,
      home: facts.home,
      madeCgroups: facts.made,
    },
  };
}
