// THE ORDER: what init does between being spawned and being parked, one line a feature, with the reason for its place.
//
//      runtime                          stub                                 init (child of the stub, in the namespaces)
//         |  spawn, batch "namespaces"    |
//         |------------------------------>|  settle, join, unshare
//         |  cgroup made meanwhile        |
//         |  batch "init"                 |
//         |------------------------------>|  cgroup joined, clone ------------->|
//         |<----- pid of init ------------|  exit                              |
//         |  batch "mounts"                                                    |
//         |------------------------------------------------------------------->|  rootfs, mounts
//         |  cgroup limited, next batch planned meanwhile                      |
//         |  batch "root and user"                                             |
//         |------------------------------------------------------------------->|  devices, masks, pivot_root, names,
//         |  config kept meanwhile                                             |  user, capabilities
//         |  state written                                                     |
//         |  batch "parking"                                                   |
//         |------------------------------------------------------------------->|  waits for start
//
// With a user namespace the cgroup is made first and joined by the stub while that is the host's root; the id maps are
// written from outside, and everything else is made inside.
// Without a new (or joined) pid namespace, or a new time namespace, there is no clone: the stub itself becomes init.

import { present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { withoutEndSlashes } from "../base/path.ts";
import { planExecutionDomain, planScheduling } from "../inside/attributes.ts";
import { planMaskedPaths, planReadonlyPaths } from "../inside/covered-paths.ts";
import { type GroupsRule, planCredentials } from "../inside/credentials.ts";
import { effectiveDevices, planDevices } from "../inside/devices.ts";
import { joinKeyring } from "../inside/keyring.ts";
import { isLabelled, labelKeyring, planLabels } from "../inside/labels.ts";
import {
  copiesUp,
  finishMount,
  isBind,
  type MountEntry,
  mountEntries,
  planMount,
} from "../inside/mounts/mount.ts";
import { dieWithRuntime, joinedNamespaces, newNamespaces } from "../inside/namespaces.ts";
import { attachNotifyDirectory, type NotifyTree } from "../inside/notify.ts";
import {
  checkWorkingDirectory,
  enterWorkingDirectory,
  hideFromContainer,
  lookUpProgram,
  makeWorkingDirectory,
  ownStandardStreams,
  park,
  planUmask,
  programCandidates,
  readPasswd,
  reopenNullStreams,
  resetAffinity,
  showToUser,
} from "../inside/process.ts";
import { effectiveLimits, limitsAtCreate } from "../inside/rlimits.ts";
import {
  chrootToRoot,
  finishRoot,
  moveToRoot,
  pivotToRoot,
  prepareRoot,
} from "../inside/rootfs.ts";
import {
  closePrivateProc,
  loopbackUp,
  openHostProc,
  openPrivateProc,
  planDomainname,
  planHostname,
  planSysctls,
} from "../inside/system-names.ts";
import {
  bindConsole,
  findMultiplexer,
  openHostTerminal,
  openTerminal,
  takeTerminal,
} from "../inside/terminal.ts";
import { batch, host, type InitProgram, type Part, parkingBatch } from "../program/program.ts";
import type { Step } from "../program/step.ts";
import { keepsGroups } from "../spec/annotations.ts";
import type { Process, Spec } from "../spec/types.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import {
  enterNamespaces,
  hasMembers,
  hasUserNamespace,
  type Namespaces,
} from "./enter-namespaces.ts";
import {
  doorbellFd,
  type HostFacts,
  listenerFd,
  masterFd,
  notifyDirectory,
  notifyFd,
  relayFd,
} from "./host-facts.ts";
import { closeIdmaps, mountIdmaps, stagesMounts } from "./stage-mounts.ts";

/** Composes the program of `create`. Pure: the same config on the same facts gives the same program. */
export function createProgram(spec: ValidatedSpec, facts: HostFacts): InitProgram {
  const behind = facts.filter?.behind ?? [];
  return { parts: [...createParts(spec, facts), ...behind, parkingPart(spec, facts)] };
}

/** The last part: what makes init wait for `start`. */
export function parkingPart(spec: ValidatedSpec, facts: HostFacts): Part {
  const ownPidNamespace = newNamespaces(spec.linux?.namespaces ?? []).includes("pid");
  const steps = park({
    doorbell: doorbellFd(facts.preserveFds),
    listener: listenerFd(facts.preserveFds),
    exitAddress: facts.exitAddress,
    dumpable: ownPidNamespace,
  });
  return batch(parkingBatch, steps, { independent: true });
}

/** All but the last part, each planned when it is asked for: by then the stub is busy with the one before. */
export function* createParts(spec: ValidatedSpec, facts: HostFacts): Generator<Part> {
  const listed = spec.linux?.namespaces ?? [];
  const namespaces: Namespaces = {
    made: new Set(newNamespaces(listed)),
    joined: new Set(joinedNamespaces(listed).map(({ type }) => type)),
  };
  yield* enterNamespaces(spec, namespaces, facts);
  // The root of a new cgroup namespace stays the group above.
  if (facts.delegatesCgroup) yield host("delegate-cgroup");
  if (hasMembers(spec.linux?.netDevices)) yield host("move-net-devices");
  // Before init makes other processes, which inherit it.
  if (hasMembers(spec.linux?.intelRdt)) yield host("enter-resctrl");
  yield* buildRoot(spec, namespaces, facts);
}

function* buildRoot(
  spec: ValidatedSpec,
  namespaces: Namespaces,
  facts: HostFacts,
): Generator<Part> {
  const { made } = namespaces;
  const entries = mountEntries(spec.mounts ?? []);
  const hasMountNamespace = made.has("mount") || namespaces.joined.has("mount");
  const keepsDescriptors = countPlaces(spec) < placesMany;
  const { selinuxLabel = "" } = spec.process;
  const keyring = facts.keyring === undefined ? [] : joinKeyring(facts.keyring);
  const surroundings = [
    ...resetAffinity(),
    // The host's proc must still be in sight.
    ...(isLabelled(spec.process) ? openProc(namespaces) : []),
    ...(selinuxLabel === "" ? keyring : labelKeyring(selinuxLabel, keyring)),
    ...(made.has("network") ? loopbackUp() : []),
  ];
  const options = { namespaces, facts, entries };
  // A batch of its own: while init mounts, the next one is planned.
  yield* inBatches(surroundings, hasMountNamespace ? planMounts(spec, options) : [], {
    keepsDescriptors,
  });
  const hooked = hasCreationHooks(spec);
  // A hook may call us, and then there must be something to read.
  if (hooked) yield host("keep-config");
  // Spec: runtime.md#lifecycle 3 to 5: in the namespaces, before pivot_root.
  if (hooked) yield* runHooks(made, facts);
  // Init has nothing to do before it has this batch; what can wait, waits until then.
  const meanwhile = hooked ? [] : (["keep-config"] as const);
  const root = hasMountNamespace
    ? enterRoot(spec, { namespaces, facts, entries })
    : [
        ...(spec.process.terminal === true
          ? openHostTerminal(spec.process, masterFd(facts.preserveFds))
          : []),
        ...chrootToRoot(facts.root),
      ];
  if (!hasUserNamespace(namespaces)) {
    const scheduling = isScheduled(spec.process) ? planScheduling(spec.process) : [];
    const steps = [...root, ...scheduling, ...becomeUser(spec, facts)];
    yield batch("root and user", steps, { keepsDescriptors, meanwhile });
    return;
  }
  yield batch("root", root, { keepsDescriptors, meanwhile });
  // In a user namespace init itself may not raise a limit.
  yield host("set-rlimits");
  if (isScheduled(spec.process)) yield host("set-scheduling");
  yield batch("user", becomeUser(spec, facts));
}

/**
 * An ordinary user's hook can only join an init that may be looked into. Nobody is there yet who could, but in a pid namespace
 * of others: such an init stays hidden, and its hooks in the container are refused.
 */
function* runHooks(made: Namespaces["made"], facts: HostFacts): Generator<Part> {
  const shows = facts.ordinaryUser && made.has("pid");
  if (shows) yield batch("showing init to hooks", showToUser());
  yield host("run-hooks");
  if (shows) yield batch("hiding init", hideFromContainer());
}

/** Everything mounted, in the order of the config: steps, and the numbers of tmpfs that are to be filled there. */
function* planMounts(
  spec: ValidatedSpec,
  options: {
    readonly namespaces: Namespaces;
    readonly facts: HostFacts;
    readonly entries: readonly MountEntry[];
  },
): Generator<readonly Step[] | number> {
  const { namespaces, facts, entries } = options;
  const { rootfsPropagation: propagation, maskedPaths = [], mountLabel = "" } = spec.linux ?? {};
  const { bundle, cgroup, preserveFds } = facts;
  const user = hasUserNamespace(namespaces) && !facts.ordinaryUser;
  const staged = stagesMounts({ user, madeMount: namespaces.made.has("mount") }, entries);
  const mountFacts = {
    bundle,
    cgroup,
    relayFd: relayFd(preserveFds),
    label: mountLabel,
    labelsFiles: facts.selinux,
    idmaps: mountIdmaps(facts),
    links: facts.links,
    staged,
  };
  const masks = maskedPaths.length > 0;
  yield prepareRoot(facts.root, { propagation, masks, label: mountLabel });
  for (const entry of entries) {
    yield planMount(entry, mountFacts);
    if (copiesUp(entry)) yield entry.index;
  }
  if (!staged) yield closeIdmaps(facts);
  if (facts.notifies) yield attachNotifyDirectory(notifyTree(facts), notifyDirectory);
  if (spec.process.terminal === true) yield findMultiplexer(mountFacts.relayFd);
}

function notifyTree({ directory, ordinaryUser, preserveFds }: HostFacts): NotifyTree {
  return ordinaryUser ? { path: `${directory}/notify` } : { fd: notifyFd(preserveFds) };
}

/** One batch, unless init has to copy something in between. */
function* inBatches(
  first: readonly Step[],
  planned: Iterable<readonly Step[] | number>,
  options: { readonly keepsDescriptors: boolean },
): Generator<Part> {
  let steps = [...first];
  // Behind the fork, which a limit of one process would forbid.
  let how: Parameters<typeof batch>[2] = { meanwhile: ["apply-limits"], independent: true };
  for (const next of planned) {
    if (typeof next !== "number") {
      for (const step of next) steps.push(step);
      continue;
    }
    yield batch("mounts", steps, { ...options, ...how });
    yield host("copy-up", `${next}`);
    how = {};
    steps = [];
  }
  if (steps.length > 0) yield batch("mounts", steps, { ...options, ...how });
}

function openProc(namespaces: Namespaces): Step[] {
  const foreign = hasUserNamespace(namespaces) && !namespaces.made.has("pid");
  return foreign ? openHostProc() : openPrivateProc();
}

function isScheduled({ scheduler, ioPriority }: Process): boolean {
  return (scheduler ?? ioPriority) !== undefined;
}

/** From so many mounts, masks and devices on, init could run out of descriptors. */
const placesMany = 100;

function countPlaces({ mounts = [], linux = {} }: ValidatedSpec): number {
  const { devices = [], maskedPaths = [], readonlyPaths = [] } = linux;
  return mounts.length + devices.length + maskedPaths.length + readonlyPaths.length;
}

function enterRoot(
  spec: ValidatedSpec,
  options: {
    readonly namespaces: Namespaces;
    readonly facts: HostFacts;
    readonly entries: readonly MountEntry[];
  },
): Step[] {
  const { namespaces, facts, entries } = options;
  const linux = spec.linux ?? {};
  const sysctls = linux.sysctl ?? {};
  const hasSysctls = Object.keys(sysctls).length > 0;
  const labelled = isLabelled(spec.process);
  const bindDevices =
    facts.inUserNamespace || namespaces.made.has("user") || namespaces.joined.has("user");
  const devices = effectiveDevices(linux.devices ?? []);
  return [
    // The host's proc must still be in sight; labels have had it opened before.
    ...(hasSysctls && !labelled ? openPrivateProc() : []),
    // A /dev bound from the host has its devices, and is not ours to change.
    ...(bindsDev(entries)
      ? []
      : planDevices(devices, { bind: bindDevices, hostHasKcore: facts.hostHasKcore })),
    ...(spec.process.terminal === true
      ? [
          ...openTerminal(spec.process, {
            relayFd: relayFd(facts.preserveFds),
            masterFd: masterFd(facts.preserveFds),
          }),
          ...bindConsole(),
        ]
      : []),
    ...makeWorkingDirectory(spec.process.cwd),
    // Once everything is mounted that they could cover. Read-only first: a masked path may lie below a read-only one.
    ...planReadonlyPaths(linux.readonlyPaths ?? []),
    ...planMaskedPaths(linux.maskedPaths ?? []),
    // Mount points and devices inside them have been made.
    ...entries.map(finishMount).flat(),
    ...(facts.noPivot ? moveToRoot(facts.wholeMounts) : pivotToRoot()),
    ...finishRoot({
      propagation: linux.rootfsPropagation,
      readonly: spec.root.readonly === true,
    }),
    ...planHostname(spec.hostname),
    ...planDomainname(spec.domainname),
    ...(hasSysctls ? [...planSysctls(sysctls), ...(labelled ? [] : closePrivateProc())] : []),
  ];
}

function hasCreationHooks({ hooks = {} }: ValidatedSpec): boolean {
  const { prestart = [], createRuntime = [], createContainer = [] } = hooks;
  return prestart.length + createRuntime.length + createContainer.length > 0;
}

function bindsDev(entries: readonly MountEntry[]): boolean {
  return entries.some(
    (entry) => withoutEndSlashes(entry.mount.destination) === "/dev" && isBind(entry),
  );
}

function becomeUser(spec: ValidatedSpec, facts: HostFacts): Step[] {
  const { process } = spec;
  const { filter } = facts;
  const user = process.user ?? {};
  const linux = spec.linux ?? {};
  const nullStreams = process.terminal === true ? [] : facts.nullStreams;
  return [
    // Inside the root: the host's null device would be a way out of the mount namespace's device rules.
    ...(process.terminal === true ? takeTerminal() : []),
    ...reopenNullStreams(nullStreams),
    ...ownStandardStreams({ uid: user.uid ?? 0 }, nullStreams),
    ...readPasswd(process.env ?? [], user.uid ?? 0),
    // As root, who may enter what the user may not.
    ...enterWorkingDirectory(process.cwd),
    ...planUmask(user.umask),
    ...((linux.personality ?? linux.memoryPolicy) === undefined ? [] : planExecutionDomain(linux)),
    // Before the user loses the right to raise them.
    ...limitsAtCreate(effectiveLimits(process.rlimits ?? [], facts.callerOpenFiles)),
    ...(isLabelled(process)
      ? [...planLabels(process, "unable to apply apparmor profile: "), ...closePrivateProc()]
      : []),
    ...planCredentials(process, {
      lastCapability: facts.lastCapability,
      groups: groupsRule(spec, facts),
      kept: filter?.kept ?? 0n,
    }),
    // setresuid has cleared it.
    ...dieWithRuntime(),
    ...checkWorkingDirectory(process.cwd),
    // As the user: what counts is what the user may execute.
    ...lookUpProgram(programCandidates(present(process.args[0], "args[0]"), process.env ?? [])),
    // It may forbid any of the above.
    ...(filter?.atCreate ?? []),
  ];
}

/**
 * Refuses additional groups that an ordinary user's map of one group denies, in runc's words.
 *
 * @throws `refused` fault
 */
export function refuseDeniedGroups(process: Pick<Process, "user">, rule: GroupsRule): void {
  if (rule !== "denied" || (process.user?.additionalGids ?? []).length === 0) return;
  raise({
    kind: "refused",
    message: "unable to setup user: cannot set any additional groups in a rootless container",
  });
}

/** Whether groups are set: with a map of a single id written by an unprivileged caller, setgroups is denied for good. */
export function groupsRule(
  spec: Spec,
  { inUserNamespace }: Pick<HostFacts, "inUserNamespace">,
): GroupsRule {
  if (keepsGroups(spec)) return "kept";
  const { namespaces = [], gidMappings: mappings = [] } = spec.linux ?? {};
  const user = namespaces.filter(({ type }) => type === "user")[0];
  // Our own namespace, if it is not the host's, may have been made by one who could not allow it.
  if (user === undefined) return inUserNamespace ? "set if allowed" : "set";
  if ((user.path ?? "") !== "") return "set if allowed";
  return mappings.length > 1 || (mappings[0]?.size ?? 0) > 1 ? "set" : "denied";
}
