// Makes a process in a container up to the point where only its program is left to be executed; undone when anything fails.

import { present } from "../base/assert.ts";
import { debug } from "../base/debug.ts";
import { during, FaultError } from "../base/fault.ts";
import { UndoStack } from "../base/undo-stack.ts";
import { execute, must } from "../ffi/execute.ts";
import { readFrozen } from "../host/cgroups/freezer.ts";
import { countOomKills } from "../host/cgroups/processes.ts";
import {
  isInUserNamespace,
  readCallerOpenFiles,
  readLastCapability,
  readListenFds,
  readNullStreams,
  releasePreservedFds,
} from "../host/facts.ts";
import { type OwnedFd, readText } from "../host/files.ts";
import {
  foreignNamespacesOf,
  namespacesOf,
  openProcess,
  setOomScore,
  waitForEnd,
} from "../host/processes.ts";
import { isOrdinaryUser } from "../host/rootless.ts";
import type { Answer } from "../init/answer.ts";
import { drive, endInit, type LiveInit, liveInit } from "../init/drive.ts";
import { obtainDescriptor } from "../init/obtain.ts";
import { startStub } from "../init/stub-process.ts";
import { setAffinity } from "../inside/attributes.ts";
import type { CgroupPlaces } from "../inside/cgroup.ts";
import { ownPidSlot } from "../inside/process.ts";
import { unifiedGroup } from "../plan/cgroup-host.ts";
import { groupsRule, refuseDeniedGroups } from "../plan/create-program.ts";
import { execCgroupPlaces, type SubCgroups } from "../plan/exec-cgroup.ts";
import { execParts, type JoinFacts, type PlannedProcess } from "../plan/exec-program.ts";
import { doorbellFd, masterFd, targetFd } from "../plan/host-facts.ts";
import { startSteps } from "../plan/start-program.ts";
import { keepsGroups, subgroupsOf } from "../spec/annotations.ts";
import type { ExecProcess } from "../spec/exec-process.ts";
import { recallConfig } from "../spec/load.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import { getpid } from "../syscall/processes.ts";
import { completeEnvironment, homeIn } from "./environment.ts";
import type { ProcessFilter } from "./filter.ts";
import { findProgram } from "./find-program.ts";
import { type ContainerRecord, initIdentity, keyringName, readRecord } from "./record.ts";
import { launch } from "./start-init.ts";
import { requireStatus } from "./status.ts";
import { type ContainerPlace, containerPaths } from "./store.ts";

/** Where and how a process is to be made. */
export type ProcessOptions = ContainerPlace & {
  /** Descriptors from 3 on besides those of socket activation. */
  readonly preserveFds: number;
  readonly subCgroups: SubCgroups;
  readonly ignorePaused: boolean;
  /** The processors to run on until the process is in the container's cgroup. */
  readonly initialAffinity: string | undefined;
  /** Puts the process into the container's groups of resctrl; undefined where there are none. */
  readonly joinResctrl: ((pid: number) => void) | undefined;
  /** Set for a hook: what it does not have of the process that `resolve` gives, or of us. */
  readonly hook?: {
    /** Executed, whatever the first argument is. */
    readonly path: string;
    readonly streams: readonly number[];
    /** Whether HOME is added to its environment. */
    readonly completesEnv: boolean;
  };
};

/** What decides where a process is to be made; the rest depends on what is found there. */
export type TargetOptions = Omit<ProcessOptions, "initialAffinity" | "joinResctrl">;

/** A container whose init runs, and cannot be mistaken for another process any more. */
export type ExecTarget = {
  readonly record: ContainerRecord;
  /** Of init; open as long as this process lives. */
  readonly pidfd: OwnedFd;
  /** The container's state directory. */
  readonly directory: string;
  /** The container's seccomp filter, if it has one. */
  readonly filter: ProcessFilter | undefined;
  /** The config as it was at create. */
  readonly readConfig: () => ValidatedSpec;
};

/** A process that waits for its last batch. */
export type MadeProcess = {
  readonly init: LiveInit;
  /** The master of the process's terminal, if it has one. */
  readonly terminal: OwnedFd | undefined;
  /** Has it execute its program. */
  readonly start: () => void;
  /** Takes everything back: the process is killed. */
  readonly undo: () => void;
};

/**
 * Finds the container and makes sure that a process can be added to it.
 *
 * @throws `id` fault when there is none; `status` when it has stopped, or is paused and that is not to be ignored
 */
export async function findTarget(options: TargetOptions): Promise<ExecTarget> {
  const paths = containerPaths(options);
  const record = readRecord(paths);
  if (record.tsRunc.phase === "intent") {
    const { observe } = await import("./observe.ts");
    requireStatus("exec", options.id, observe(paths, record));
  }
  const found = record.init_process_pid === 0 ? undefined : openProcess(initIdentity(record));
  if (found === undefined) requireStatus("exec", options.id, "stopped");
  const pidfd = present(found, "init of a container that has not stopped");
  if (!options.ignorePaused && readFrozen(record.cgroup_paths)) {
    requireStatus("exec", options.id, "paused");
  }
  debug(() => `${options.id} runs, init ${record.init_process_pid}`);
  const readConfig = () => recallConfig(readText(paths.config, "reading the container's config"));
  const { filter: recorded } = record.tsRunc;
  const filter =
    recorded === undefined
      ? undefined
      : await (await import("./filter.ts")).recallForProcess(options.root, recorded, {
          record,
          readSpec: readConfig,
        });
  return { record, pidfd, directory: paths.directory, filter, readConfig };
}

/**
 * Makes the process. Run by the runtime.
 *
 * @param resolve says what is to be executed; asked while the stub joins the container
 * @throws FaultError; nothing is left then
 */
export function makeProcess(
  options: ProcessOptions,
  target: ExecTarget,
  resolve: (config: ValidatedSpec) => ExecProcess,
): MadeProcess {
  const { init_process_pid: initPid } = target.record;
  const runtimePid = execute(getpid());
  const activated = options.hook === undefined && isMeantForUs(runtimePid);
  const listenFds = activated ? readListenFds() : 0;
  const isOrdinary = isOrdinaryUser();
  const facts: JoinFacts = {
    runtimePid,
    preserveFds: options.preserveFds + listenFds,
    namespaces: isOrdinary ? foreignNamespacesOf(initPid) : namespacesOf(initPid),
    cgroupPlaces: placesOf(target.record, options.subCgroups),
  };
  releasePreservedFds(facts.preserveFds);
  if ((options.initialAffinity ?? "") !== "") runOn(options.initialAffinity ?? "");
  // Asking twice would connect twice to who waits for a terminal.
  let resolved: ExecProcess | undefined;
  const resolveOnce = (config: ValidatedSpec): ExecProcess => {
    resolved ??= resolve(config);
    return resolved;
  };
  const attempt: Attempt = { options, target, resolve: resolveOnce, listenFds };
  if (isOrdinary) {
    const config = target.readConfig();
    const asUser = { keepsGroups: keepsGroups(config) };
    // Who is not root may set the score of a stub only until that is hidden.
    const { oomScoreAdj } = resolveOnce(config);
    return attemptOrElsewhere({ ...attempt, oomScoreAdj }, { ...facts, asUser });
  }
  return attemptOrElsewhere(attempt, facts);
}

/** The groups to join: the container's own, or those below that are asked for; where it manages its processes, that of init. */
function placesOf(record: ContainerRecord, subCgroups: SubCgroups): CgroupPlaces {
  const places = execCgroupPlaces(record.cgroup_paths, subCgroups);
  const { delegated } = subgroupsOf(record.tsRunc);
  if (delegated === "" || subCgroups.size > 0 || places.v2 === undefined) return places;
  const v2 = groupOfInit(record.init_process_pid);
  return v2.startsWith(`${places.v2}/`) ? { ...places, v2 } : places;
}

function groupOfInit(pid: number): string {
  return unifiedGroup(readText(`/proc/${pid}/cgroup`, "finding the cgroup of init"));
}

/** A v2 group that has given controllers to groups below it takes no processes: those of init's own group, then. */
function attemptOrElsewhere(attempt: Attempt, facts: JoinFacts): MadeProcess {
  const { options, target } = attempt;
  try {
    return attemptProcess(attempt, facts);
  } catch (error) {
    if (!isBusyGroup(error) || options.subCgroups.size > 0) throw error;
    const v2 = groupOfInit(target.record.init_process_pid);
    return attemptProcess(attempt, { ...facts, cgroupPlaces: { ...facts.cgroupPlaces, v2 } });
  }
}

/** Engines pass their own environment on, with what their service manager said to them; sd_listen_fds(3). */
function isMeantForUs(pid: number): boolean {
  const meant = process.env["LISTEN_PID"] ?? "";
  return meant === "" || Number(meant) === pid;
}

/** Moves this process, from which the stub inherits. */
function runOn(processors: string): void {
  const { call, doing } = setAffinity("initial", processors);
  must(call, doing);
}

function isBusyGroup(error: unknown): boolean {
  if (!(error instanceof FaultError) || error.fault.kind !== "syscall") return false;
  return ["clone3", "write"].includes(error.fault.call) && error.fault.errno === "EBUSY";
}

type Attempt = {
  readonly options: ProcessOptions;
  readonly target: ExecTarget;
  readonly resolve: (config: ValidatedSpec) => ExecProcess;
  readonly listenFds: number;
  /** What the stub is given before its first batch; undefined where the process is given it. */
  readonly oomScoreAdj?: number | undefined;
};

function attemptProcess(attempt: Attempt, facts: JoinFacts): MadeProcess {
  const { target, listenFds } = attempt;
  const { hook } = attempt.options;
  const { preserveFds } = facts;
  const undo = new UndoStack();
  try {
    const stub = startStub({
      doorbellFd: doorbellFd(preserveFds),
      directory: target.directory,
      descriptors: [
        ...(hook?.streams ?? []).map((from, to) => ({ from, to })),
        { from: target.pidfd.fd, to: targetFd(preserveFds) },
      ],
    });
    undo.use(stub.doorbell);
    const init = liveInit(stub);
    undo.defer(() => endInit(init));
    if (attempt.oomScoreAdj !== undefined) setOomScore(init.pid, attempt.oomScoreAdj);
    const { planned, answer, situation } = setUp(attempt, facts, init);
    const { process } = planned;
    const { args, env = [], oomScoreAdj } = process;
    if (oomScoreAdj !== undefined && facts.asUser === undefined) {
      setOomScore(init.pid, oomScoreAdj);
    }
    attempt.options.joinResctrl?.(init.pid);
    const path = hook?.path ?? during(starting, () => findProgram(args[0] ?? "", env, answer));
    const pid = answer.results.get(ownPidSlot);
    const steps = startSteps(process, {
      path,
      env:
        hook?.completesEnv === false
          ? env
          : completeEnvironment(env, {
              home: homeIn(answer, process.user?.uid ?? 0),
              listenFds,
              ...(pid === undefined ? {} : { pid }),
            }),
      preserveFds,
      callerOpenFiles: planned.facts.callerOpenFiles,
      filterSteps: planned.facts.filter?.atStart ?? [],
    });
    const terminal =
      process.terminal === true
        ? undo.use(obtainDescriptor(init, masterFd(preserveFds), "fetching the terminal"))
        : undefined;
    return {
      init,
      terminal,
      start: () => {
        try {
          drive(
            init,
            { parts: planned.facts.filter?.behind ?? [] },
            { "send-listener": () => target.filter?.sendListener(init) },
          );
          launch(init, steps);
        } catch (error) {
          throw error instanceof FaultError ? explain(error, situation).within(starting) : error;
        }
      },
      undo: () => undo.dispose(),
    };
  } catch (error) {
    undo.dispose();
    throw error;
  }
}

/** runc's words in front of what goes wrong with a process. */
const starting = "unable to start container process";

/** Takes the stub through all of its program but the last batch. */
function setUp(
  attempt: Attempt,
  facts: JoinFacts,
  init: LiveInit,
): {
  readonly planned: PlannedProcess;
  readonly answer: Answer;
  readonly situation: Situation;
} {
  const seen: { planned?: PlannedProcess; failure?: { readonly error: unknown } } = {};
  const situation = { ...attempt, kills: 0 };
  const plan = (): PlannedProcess | undefined => {
    situation.kills = countOomKills(attempt.target.record.cgroup_paths);
    try {
      seen.planned = planProcess(attempt);
    } catch (error) {
      // Thrown when the stub has answered: only then is its child known, and can be taken back.
      seen.failure = { error };
    }
    return seen.planned;
  };
  try {
    const answer = drive(init, { parts: execParts(facts, plan) });
    if (seen.planned !== undefined) return { planned: seen.planned, answer, situation };
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    throw explain(error, situation).within(starting);
  }
  throw present(seen.failure, "what has failed").error;
}

/** Finds out what is to be executed, and what has to be known for it. */
function planProcess({ options, target, resolve, listenFds }: Attempt): PlannedProcess {
  const { record } = target;
  const config = target.readConfig();
  const linux = config.linux ?? {};
  const process = resolve(config);
  const groups = groupsRule(config, { inUserNamespace: isInUserNamespace() });
  if (isOrdinaryUser()) refuseDeniedGroups(process, groups);
  return {
    process,
    facts: {
      filter: target.filter?.plan(process),
      initPid: record.init_process_pid,
      ownsMounts: (linux.namespaces ?? []).some(({ type }) => type === "mount"),
      groups,
      linux,
      activated: listenFds > 0,
      nullStreams: options.hook === undefined ? readNullStreams() : [],
      searches: options.hook === undefined,
      callerOpenFiles: readCallerOpenFiles(),
      lastCapability: readLastCapability(),
      keyring: record.tsRunc.noNewKeyring ? undefined : keyringName(options.id),
    },
  };
}

type Situation = Pick<Attempt, "options" | "target"> & {
  /** How many of the container's processes the kernel had killed for want of memory before. */
  readonly kills: number;
};

/** Says so when the process could not be made because the container has stopped meanwhile, or has too little memory. */
function explain(error: FaultError, { options, target, kills }: Situation): FaultError {
  const { fault } = error;
  const ofInit = fault.kind === "init-died" || fault.kind === "syscall";
  if (ofInit && waitForEnd(target.pidfd, 0)) requireStatus("exec", options.id, "stopped");
  if (fault.kind !== "init-died" || countOomKills(target.record.cgroup_paths) <= kills)
    return error;
  const how = `${fault.how} (possibly OOM-killed)`;
  return new FaultError({ ...fault, how }, { cause: error, during: error.during });
}
