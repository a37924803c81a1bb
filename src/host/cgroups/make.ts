// Makes the cgroup of a container and puts processes into it; what is written into it later is apply.ts.
//
//   makeCgroup(plan: CgroupPlan): readonly string[]           directories made, for the record and for removeCgroup
//   joinCgroup(paths: CgroupPaths, pid: number): void
//   leaveUnit(plan: CgroupPlan, pid: number): void            from the unit's group, where systemd has put it, into the container's
//   enterDelegated(plan: CgroupPlan): void                    from the container's group into the one below that it manages

import { errnos } from "../../abi/errno.ts";
import { AT_FDCWD } from "../../abi/file.ts";
import { raise } from "../../base/fault.ts";
import { execute, raiseErrno } from "../../ffi/execute.ts";
import {
  type CgroupPaths,
  type CgroupPlan,
  type PlannedHierarchy,
  plannedDirectories,
} from "../../plan/cgroup.ts";
import { fchownat, mkdirat } from "../../syscall/files.ts";
import { nanosleep } from "../../syscall/processes.ts";
import { tryRemoveDirectory, tryWrite } from "../files.ts";
import { applyWrites } from "./apply.ts";
import { raiseWrite, readCgroupFile } from "./cgroup-file.ts";
import { isStopped } from "./freezer.ts";
import { listOwnProcesses, listProcesses } from "./processes.ts";

const doing = "creating the container's cgroup";
const directoryMode = 0o755;
/** (gid_t)-1: chown(2) leaves it. */
const unchangedId = 0xffffffff;

/**
 * Makes the directories of the plan and writes what must stand before a process joins. On failure, those that it has
 * made are gone again. Run by the runtime.
 *
 * Directories between the mount point and the container's own stay when the container is deleted, as with runc.
 *
 * @returns the container's own directories that did not exist before, or that systemd made for it: the only ones that
 * may be removed later
 * @throws `status` when a directory exists with processes in it, or is frozen; `syscall`
 */
export function makeCgroup(plan: CgroupPlan): readonly string[] {
  const made: string[] = [];
  try {
    const existed: PlannedHierarchy[] = [];
    for (const hierarchy of plan.hierarchies) {
      if (plan.version === "v2") enableControllers(hierarchy, plan.controllers, made);
      const isNew = makeDirectory(hierarchy.path, made);
      if (!isNew) existed.push(hierarchy);
      if (hierarchy.controllers.includes("cpuset")) fillCpuset(hierarchy, isNew);
      if (plan.delegated !== undefined) makeDirectory(plan.delegated.path, made);
      if (plan.version === "v2") settleThreading([...new Set([...made, hierarchy.path])], plan);
    }
    if (plan.adopts !== true) refuseUsed(plan, existed);
    for (const directory of made) applyToParent(directory, plan);
    applyWrites(plan.beforeJoin, plan.paths);
    // What root has made is root's.
    if (plan.owner !== undefined && plan.owner !== 0) {
      for (const { path } of plan.hierarchies) giveAway(path, plan.owner);
    }
    const { delegated } = plan;
    if (delegated?.owner !== undefined && delegated.owner !== 0) {
      giveAway(delegated.path, delegated.owner);
    }
    const own = plannedDirectories(plan);
    return plan.adopts === true ? own : made.filter((directory) => own.includes(directory));
  } catch (error) {
    for (const directory of made.reverse()) tryRemoveDirectory(directory);
    throw error;
  }
}

/** What the owner of a delegated group may write to where the kernel does not list it; cgroups(7). */
const delegatedFiles = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/**
 * Makes a user the owner of a group: of its directory, and of the files that the kernel says can be delegated, of which
 * a group has those of its controllers.
 *
 * Spec: config-linux.md#cgroup-ownership MUST NOT change the owner of any other file.
 */
function giveAway(directory: string, uid: number): void {
  const listed = readCgroupFile("/sys/kernel/cgroup/delegate")?.split("\n");
  const names = listed?.filter((name) => name !== "" && !name.includes("/")) ?? delegatedFiles;
  for (const path of [directory, ...names.map((name) => `${directory}/${name}`)]) {
    const call = fchownat(AT_FDCWD, path, { uid, gid: unchangedId });
    const result = execute(call);
    if (result < 0 && result !== -errnos.ENOENT) raiseErrno(call, doing, result);
  }
}

/** Writes what a new parent of a group must have before the group can have it. */
function applyToParent(directory: string, plan: CgroupPlan): void {
  const writes = plan.beforeJoin.filter(
    ({ parentsToo, controller }) =>
      parentsToo === true && plan.paths[controller]?.startsWith(`${directory}/`),
  );
  const [first] = writes;
  if (first !== undefined) applyWrites(writes, { [first.controller]: directory });
}

/** Makes a directory and its missing parents, and appends what it has made, outermost first. */
function makeDirectory(path: string, made: string[]): boolean {
  // Another container's end may remove a parent that was just found: then it is made again.
  for (let tries = 0; ; tries += 1) {
    const call = mkdirat(AT_FDCWD, path, directoryMode);
    const result = execute(call);
    if (result === 0) {
      made.push(path);
      return true;
    }
    if (result === -errnos.EEXIST) return false;
    const parent = parentOf(path);
    if (result !== -errnos.ENOENT || parent === "" || tries === 3) raiseErrno(call, doing, result);
    makeDirectory(parent, made);
  }
}

/**
 * Gives a v1 cpuset CPUs and memory nodes, which it needs before a process can join: its parents' values, from the
 * first one that has any, are copied down. What is there stays.
 */
function fillCpuset(hierarchy: PlannedHierarchy, isNew: boolean): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    fillCpusetFile(hierarchy.path, { file, isNew, mountPoint: hierarchy.mountPoint });
  }
}

function fillCpusetFile(
  path: string,
  options: { readonly file: string; readonly isNew: boolean; readonly mountPoint: string },
): string {
  const target = `${path}/${options.file}`;
  const present = options.isNew ? "" : (readCgroupFile(target) ?? "");
  if (present !== "" || path === options.mountPoint) return present;
  const value = fillCpusetFile(parentOf(path), { ...options, isNew: false });
  mustWrite(target, value);
  return value;
}

/**
 * Enables all controllers of the tree for the children of every directory above the container's, as runc does, making
 * the missing ones. Where an ancestor has them all, so have those above it.
 *
 * Spec: config-linux.md#unified MUST ensure that the needed controllers are enabled.
 */
function enableControllers(
  { path, mountPoint }: PlannedHierarchy,
  controllers: readonly string[],
  made: string[],
): void {
  if (path === mountPoint) return;
  const parent = parentOf(path);
  const isEnabled = (directory: string): boolean => {
    const enabled = (readCgroupFile(controlFile(directory)) ?? "").split(" ");
    return controllers.every((controller) => enabled.includes(controller));
  };
  if (isEnabled(parent)) return;
  let directory = mountPoint;
  const inner = path.slice(mountPoint.length + 1).split("/");
  for (const component of inner) {
    if (directory !== mountPoint) makeDirectory(directory, made);
    if (!isEnabled(directory)) enableIn(directory, controllers);
    directory = `${directory}/${component}`;
  }
}

/** Refusals are ignored: whether a controller is missed is known when a limit that needs it is written. */
function enableIn(directory: string, controllers: readonly string[]): void {
  if (tryEnable(directory, controllers) < 0) enableEach(directory, controllers);
}

function enableEach(directory: string, controllers: readonly string[]): void {
  for (const controller of controllers) tryEnable(directory, [controller]);
}

/** Enables all of them, or none. Returns what the write has returned. */
function tryEnable(directory: string, controllers: readonly string[]): number {
  const words = controllers.map((controller) => `+${controller}`);
  return tryWrite(controlFile(directory), words.join(" "));
}

function controlFile(directory: string): string {
  return `${directory}/cgroup.subtree_control`;
}

/** Controllers that cannot tell the threads of a process apart: a threaded cgroup does not have them. */
const domainControllers: readonly string[] = ["memory", "io", "hugetlb", "rdma"];

/**
 * Below a threaded cgroup, or one that has processes, a new group of v2 can have no processes until it is made threaded.
 *
 * @throws `refused` when a limit of the container needs more than a threaded group has
 */
function settleThreading(directories: readonly string[], plan: CgroupPlan): void {
  const needsDomain = plan.steps.some(
    (step) =>
      step.kind === "write" &&
      domainControllers.includes(step.file.slice(0, step.file.indexOf("."))),
  );
  for (const directory of directories) {
    const type = readCgroupFile(`${directory}/cgroup.type`);
    if (type !== "domain invalid" && type !== "threaded") continue;
    if (needsDomain) {
      const state = type === "threaded" ? "in threaded mode" : "in an invalid state";
      raise({
        kind: "refused",
        message: `cannot enter cgroupv2 ${JSON.stringify(directory)} with domain controllers -- it is ${state}`,
      });
    }
    if (type === "domain invalid") mustWrite(`${directory}/cgroup.type`, "threaded");
  }
}

/**
 * Refuses a cgroup that another container, or anyone, is using.
 *
 * @throws `status` in runc's words
 */
export function refuseUsed(plan: CgroupPlan, existed: readonly PlannedHierarchy[]): void {
  const pids = new Set(existed.map(({ path }) => listProcesses({ "": path })).flat());
  if (pids.size > 0) {
    raise({
      kind: "status",
      message: `container's cgroup is not empty: ${pids.size} process(es) found`,
    });
  }
  // A new group below a frozen one is frozen, too: nothing that joins it would ever run.
  if (isStopped(plan.paths)) {
    raise({ kind: "status", message: "container's cgroup unexpectedly frozen" });
  }
}

/**
 * Moves a process into every hierarchy: one open, write and close each. Run by the runtime, with the pid as it sees it.
 *
 * @throws `syscall` fault
 */
export function joinCgroup(paths: CgroupPaths, pid: number): void {
  for (const path of new Set(Object.values(paths))) {
    const file = `${path}/cgroup.procs`;
    const result = moveProcess(file, pid);
    if (result < 0) raiseWrite(file, "joining the container's cgroup", result);
  }
}

const joinTries = 5;
const joinPauseMs = 30;

/** Writes the pid into a group's file, and again where the kernel is not ready for it. */
function moveProcess(file: string, pid: number): number {
  let result = tryWrite(file, `${pid}`);
  // EINVAL: the process is so new that the scheduler does not have it yet. EBUSY: controllers are being moved (v2).
  for (let tries = 1; isPassing(result) && tries < joinTries; tries += 1) {
    execute(nanosleep(joinPauseMs));
    result = tryWrite(file, `${pid}`);
  }
  return result;
}

/**
 * Makes the group below a unit and moves the process that systemd has put into the unit there: only a group without processes
 * can hand controllers on (v2). Run by the runtime.
 *
 * @throws `syscall` fault
 */
export function leaveUnit({ paths }: CgroupPlan, pid: number): void {
  for (const path of Object.values(paths)) makeDirectory(path, []);
  joinCgroup(paths, pid);
}

const emptyTries = 100;
const emptyPauseMs = 10;

/**
 * Moves the container's processes from its group into the one below that it manages, and gives that one the controllers. Init has
 * its cgroup namespace by then. Run by the runtime: inside, the group above can be somebody else's.
 *
 * @throws `syscall` fault
 */
export function enterDelegated({ paths, delegated, controllers }: CgroupPlan): void {
  const { "": group } = paths;
  if (delegated === undefined || group === undefined) return;
  const target = `${delegated.path}/cgroup.procs`;
  for (let tries = 1; ; tries += 1) {
    for (const pid of listOwnProcesses(group)) {
      const moved = moveProcess(target, pid);
      // The stub that has forked init is about to end.
      if (moved < 0 && moved !== -errnos.ESRCH) raiseWrite(target, delegating, moved);
    }
    const enabled = tryEnable(group, controllers);
    if (enabled >= 0) return;
    if (enabled !== -errnos.EBUSY) break;
    if (tries === emptyTries) raiseWrite(controlFile(group), delegating, enabled);
    execute(nanosleep(emptyPauseMs));
  }
  enableEach(group, controllers);
}

const delegating = "handing a cgroup over to the container";

function isPassing(result: number): boolean {
  return result === -errnos.EINVAL || result === -errnos.EBUSY;
}

function mustWrite(path: string, value: string): void {
  const result = tryWrite(path, value);
  if (result < 0) raiseWrite(path, doing, result);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
