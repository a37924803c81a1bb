// The seccomp filter of a container: made by create, and found again by start and exec. Loaded only where there is one.

import { present } from "../base/assert.ts";
import { debug } from "../base/debug.ts";
import { type SeccompAgent, sendListener } from "../host/seccomp/agent.ts";
import { findCached, keepCached } from "../host/seccomp/cache.ts";
import { type ObtainedFilter, obtainFilter } from "../host/seccomp/filter.ts";
import { requireFlags } from "../host/seccomp/flags.ts";
import type { LiveInit } from "../init/drive.ts";
import { obtainDescriptor } from "../init/obtain.ts";
import { type FilterLoad, listenerSlot } from "../inside/seccomp.ts";
import type { PlannedFilter } from "../plan/host-facts.ts";
import { filterFlags, planContainerFilter, planProcessFilter } from "../plan/seccomp-filter.ts";
import { rawFilterOf, seccompBpfData } from "../spec/annotations.ts";
import { ociVersion } from "../spec/default-spec.ts";
import type { ExecProcess } from "../spec/exec-process.ts";
import type { State } from "../spec/reports.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import type { CreateOptions } from "./prepare.ts";
import type { ContainerRecord, FilterRecord } from "./record.ts";

/** The filter of a container that is being made. */
export type PreparedFilter = {
  readonly planned: PlannedFilter;
  readonly record: FilterRecord;
  /** Keeps what had to be compiled for the next one who asks. */
  readonly keep: () => void;
  /** Hands the listener to the agent. */
  readonly sendListener: (init: LiveInit) => void;
};

/**
 * Makes the filter, or finds it made. Changes nothing.
 *
 * @throws `host` fault where libseccomp is missing, or the kernel does not know a flag; `refused` for what cannot be compiled
 */
export async function prepareFilter(
  { root, id, bundle }: CreateOptions,
  spec: ValidatedSpec,
  fate: "parked" | "started",
): Promise<PreparedFilter> {
  const profile = spec.linux?.seccomp ?? {};
  requireFlags(profile);
  const { filter, key, isNew } = await obtain(root, spec);
  const flags = filterFlags(profile, asksSomebody(spec));
  const planned = planContainerFilter(spec.process, fate, { ...filter, flags });
  const { annotations = {} } = spec;
  return {
    planned,
    record: { key, flags, loadedBy: planned.atStart.length > 0 ? "start" : "create" },
    keep: () => {
      if (isNew) keepCached(root, key, filter);
    },
    sendListener: (init) => {
      const { pid } = init;
      handOver(init, profile, describe({ id, bundle, annotations, pid, status: "creating" }));
    },
  };
}

/** Finds the steps with which `start` loads the filter: none where create has loaded it. */
export async function recallForStart(
  root: string,
  { key, flags, loadedBy }: FilterRecord,
  spec: ValidatedSpec,
): Promise<PlannedFilter["atStart"]> {
  if (loadedBy === "create") return [];
  const program = await recallProgram(root, key, () => spec);
  return planProcessFilter(spec.process, { program, flags }).atStart;
}

/** The filter of a container for one more of its processes. */
export type ProcessFilter = {
  readonly plan: (process: ExecProcess) => PlannedFilter;
  /** Hands the listener to the agent. */
  readonly sendListener: (init: LiveInit) => void;
};

/** Finds the filter for a process of exec, who has the same as the container's own, with a listener for itself. */
export async function recallForProcess(
  root: string,
  recorded: FilterRecord,
  container: { readonly record: ContainerRecord; readonly readSpec: () => ValidatedSpec },
): Promise<ProcessFilter> {
  const { record, readSpec } = container;
  const program = await recallProgram(root, recorded.key, readSpec);
  const load: FilterLoad = { program, flags: recorded.flags };
  const { id, init_process_pid: pid } = record;
  const { annotations, bundle } = record.tsRunc;
  return {
    plan: (process) => planProcessFilter(process, load),
    sendListener: (init) =>
      handOver(
        init,
        readSpec().linux?.seccomp ?? {},
        describe({ id, bundle, annotations, pid, status: "running" }),
      ),
  };
}

async function recallProgram(
  root: string,
  key: string,
  readSpec: () => ValidatedSpec,
): Promise<Uint8Array> {
  const cached = findCached(root, key);
  if (cached !== undefined) return cached.program;
  const { filter, isNew, key: newKey } = await obtain(root, readSpec());
  if (isNew) keepCached(root, newKey, filter);
  return filter.program;
}

/** A filter that the config brings along is neither compiled nor kept. */
async function obtain(root: string, spec: ValidatedSpec): Promise<ObtainedFilter> {
  const raw = rawFilterOf(spec);
  if (raw === undefined) return obtainFilter(root, present(spec.linux?.seccomp, "linux.seccomp"));
  const { admitRawFilter } = await import("../plan/raw-filter.ts");
  debug(() => `seccomp: filter of ${raw.byteLength} bytes, from ${seccompBpfData}`);
  return { filter: admitRawFilter(raw, asksSomebody(spec)), key: "", isNew: false };
}

/** Whether calls are an agent's to answer. Of a raw filter the config says so by naming one, as to crun. */
function asksSomebody({ linux, annotations }: ValidatedSpec): boolean {
  const { listenerPath = "", syscalls = [] } = linux?.seccomp ?? {};
  return annotations?.[seccompBpfData] === undefined
    ? syscalls.some(({ action }) => action === "SCMP_ACT_NOTIFY")
    : listenerPath !== "";
}

/** The container as the agent is told of it; without annotations where there are none, as by runc. */
function describe(container: Omit<State, "ociVersion">): State {
  const { id, status, pid, bundle, annotations = {} } = container;
  const some = Object.keys(annotations).length > 0 ? { annotations } : {};
  return { ociVersion, id, status, ...(pid === undefined ? {} : { pid }), bundle, ...some };
}

/** Takes the listener out of the process, which has been waiting since it loaded the filter. */
function handOver(init: LiveInit, agent: SeccompAgent, container: State): void {
  const doing = "fetching the listener of the seccomp filter";
  const fd = present(init.results.get(listenerSlot), listenerSlot);
  using listener = obtainDescriptor(init, fd, doing);
  sendListener(agent, listener, { pid: init.pid, container });
}
