// Which hooks run when and where: in the runtime's namespaces, or as a process in the container; loaded only for a config
// that has hooks.
//
//   create                          start                            delete
//   ------                          -----                            ------
//   prestart        runtime         startContainer  container, root  poststop   runtime
//   createRuntime   runtime           (then the program)
//   createContainer container,      poststart       runtime
//                   the host's root

import { present } from "../base/assert.ts";
import { during, FaultError } from "../base/fault.ts";
import { wordFaultError } from "../base/word-fault.ts";
import { execute } from "../ffi/execute.ts";
import { runHook, type Streams, spawnHook } from "../host/hooks.ts";
import {
  endProcess,
  openProcess,
  readCapabilities,
  readInnerPid,
  readUmask,
  thisProcess,
} from "../host/processes.ts";
import { capabilityNames } from "../spec/capability-names.ts";
import { ociVersion } from "../spec/default-spec.ts";
import type { ExecProcess } from "../spec/exec-process.ts";
import type { Hook, HookPoint } from "../spec/types.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import { close } from "../syscall/files.ts";
import { makeProcess } from "./exec.ts";
import type { ProcessFilter } from "./filter.ts";
import { type ContainerRecord, initIdentity, writeRecord } from "./record.ts";
import { type ContainerPlace, containerPaths } from "./store.ts";

/**
 * Runs what comes before the root is changed: prestart, createRuntime, createContainer.
 *
 * Spec: runtime.md#lifecycle 3 to 5: the hooks MUST be invoked; a failing one MUST be an error.
 *
 * @param record of the container, with init as it is now
 * @throws FaultError of the first that fails
 */
export function runCreationHooks(
  place: ContainerPlace,
  record: ContainerRecord,
  spec: ValidatedSpec,
): void {
  const { createContainer = [] } = spec.hooks ?? {};
  // Hooks may ask for the container's state, and when they hang somebody has to be able to end it.
  writeRecord(containerPaths(place), {
    ...record,
    tsRunc: { ...record.tsRunc, maker: thisProcess() },
  });
  runRuntimeHooks(record, spec);
  // It is not a process of the container's program yet.
  const { personality, memoryPolicy, ...linux } = spec.linux ?? {};
  const { oomScoreAdj } = spec.process;
  const initCan = readCapabilities(record.init_process_pid, "CapEff");
  const able = capabilityNames.filter((_, index) => ((initCan >> BigInt(index)) & 1n) === 1n);
  runInContainer({ point: "createContainer", hooks: createContainer, status: "creating" }, record, {
    place,
    spec: { ...spec, linux },
    filter: undefined,
    process: (hook) => ({
      args: argumentsOf(hook),
      env: hook.env ?? [],
      // The host's tree is still there, seen from the container's mount namespace.
      cwd: record.tsRunc.rootfs,
      // As a child of init would have it.
      user: { uid: 0, gid: 0, umask: readUmask() },
      ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
      capabilities: { bounding: able, effective: able, permitted: able },
    }),
  });
}

/**
 * Runs prestart and createRuntime: all that a restored container gets, as with runc.
 *
 * @throws FaultError of the first that fails
 */
export function runRuntimeHooks(record: ContainerRecord, { hooks = {} }: ValidatedSpec): void {
  const { prestart = [], createRuntime = [] } = hooks;
  runInRuntime({ point: "prestart", hooks: prestart, status: "creating" }, record);
  runInRuntime({ point: "createRuntime", hooks: createRuntime, status: "creating" }, record);
}

/**
 * Runs the startContainer hooks, as the container's user and before its program.
 *
 * Spec: runtime.md#lifecycle 7: MUST be invoked; a failing one MUST be an error.
 *
 * @throws FaultError of the first that fails
 */
export async function runStartHooks(
  place: ContainerPlace,
  record: ContainerRecord,
  spec: ValidatedSpec,
): Promise<void> {
  const { startContainer = [] } = spec.hooks ?? {};
  const { filter } = record.tsRunc;
  const recall = async (recorded: NonNullable<typeof filter>) =>
    (await import("./filter.ts")).recallForProcess(place.root, recorded, {
      record,
      readSpec: () => spec,
    });
  runInContainer({ point: "startContainer", hooks: startContainer, status: "created" }, record, {
    place,
    spec,
    filter: filter === undefined ? undefined : await recall(filter),
    process: (hook) => ({
      ...spec.process,
      args: argumentsOf(hook),
      // Without an environment of its own it has the program's, as with runc.
      ...(hook.env === undefined ? {} : { env: hook.env }),
      terminal: false,
    }),
  });
}

/**
 * Runs the poststart hooks; the program is running. The container must not be locked: they may call commands that lock it.
 *
 * Spec: runtime.md#lifecycle 9: MUST be invoked; a failing one MUST be an error that stops the container.
 *
 * @throws FaultError of the first that fails; init is killed then
 */
export function runPoststartHooks(record: ContainerRecord, { hooks = {} }: ValidatedSpec): void {
  const { poststart = [] } = hooks;
  // Opened before they run: by their end, init may have ended, and its number be another process's.
  using init = openProcess(initIdentity(record));
  try {
    runInRuntime({ point: "poststart", hooks: poststart, status: "running" }, record);
  } catch (error) {
    if (init !== undefined) endProcess(init);
    throw error;
  }
}

/**
 * Runs the poststop hooks; nothing is left of the container.
 *
 * Spec: runtime.md#lifecycle 13: MUST be invoked; one that fails MUST be warned of, and the others run all the same.
 */
export function runPoststopHooks(record: ContainerRecord, warn: (message: string) => void): void {
  const stopped = { ...record, init_process_pid: 0 };
  for (const [index, hook] of (record.tsRunc.poststop ?? []).entries()) {
    try {
      runInRuntime({ point: "poststop", hooks: [hook], status: "stopped", index }, stopped);
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      warn(wordFaultError(error));
    }
  }
}

type Moment = {
  readonly point: HookPoint;
  readonly hooks: readonly Hook[];
  readonly status: "creating" | "created" | "running" | "stopped";
  /** Of the first one in the config's list. */
  readonly index?: number;
};

function runInRuntime(moment: Moment, record: ContainerRecord): void {
  const { bundle } = record.tsRunc;
  runEach(moment, record, record.init_process_pid, (hook, streams) => {
    const { path, env = [] } = hook;
    return spawnHook({ path, args: argumentsOf(hook), env, cwd: bundle }, streams);
  });
}

/** Its path is its only argument where the config gives none, as with Go's exec. */
function argumentsOf({ path, args = [] }: Hook): readonly string[] {
  return args.length === 0 ? [path] : args;
}

function runInContainer(
  moment: Moment,
  record: ContainerRecord,
  inside: {
    readonly place: ContainerPlace;
    readonly spec: ValidatedSpec;
    readonly filter: ProcessFilter | undefined;
    /** What the hook is as a process of the container. */
    readonly process: (hook: Hook) => ExecProcess;
  },
): void {
  if (moment.hooks.length === 0) return;
  const { place, spec, filter } = inside;
  using pidfd = openProcess(initIdentity(record));
  const target = {
    record,
    pidfd: present(pidfd, "init, which waits for its hooks"),
    directory: containerPaths(place).directory,
    filter,
    readConfig: () => spec,
  };
  const options = {
    ...place,
    preserveFds: 0,
    subCgroups: new Map<string, string>(),
    ignorePaused: true,
    initialAffinity: undefined,
    // Inherited from init by nobody here: the hook is no child of its.
    joinResctrl: undefined,
  };
  runEach(moment, record, readInnerPid(record.init_process_pid), (hook, streams) => {
    const completesEnv = hook.env === undefined && moment.point === "startContainer";
    const changed = { ...options, hook: { path: hook.path, streams, completesEnv } };
    const made = makeProcess(changed, target, () => inside.process(hook));
    try {
      made.start();
    } catch (error) {
      made.undo();
      throw error;
    }
    execute(close(made.init.doorbell));
    return made.init.pid;
  });
}

/** Runs the hooks one after the other, up to the first that fails. */
function runEach(
  { point, hooks, status, index = 0 }: Moment,
  record: ContainerRecord,
  pid: number,
  start: (hook: Hook, streams: Streams) => number,
): void {
  const { annotations, bundle } = record.tsRunc;
  const state = JSON.stringify({
    ociVersion,
    id: record.id,
    status,
    // Spec: runtime.md#state: REQUIRED while it is created or running; runc leaves it out of a stopped one's.
    ...(pid === 0 ? {} : { pid }),
    bundle,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  });
  for (const [at, hook] of hooks.entries()) {
    during(`error running ${point} hook #${index + at}`, () =>
      runHook({
        path: hook.path,
        state,
        timeoutS: hook.timeout,
        files: {
          output: annotations["run.oci.hooks.stdout"],
          errors: annotations["run.oci.hooks.stderr"],
        },
        start: (streams) => start(hook, streams),
      }),
    );
  }
}
