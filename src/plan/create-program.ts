// THE ORDER: what init does between being spawned and being parked, one line a feature, with the reason for its place.
//
//      runtime                          stub                                 init (child of the stub, in the namespaces)
//         |  spawn, batch "namespaces"    |
//         |------------------------------>|  settle, join, unshare(user)
//         |  uid_map, gid_map             |
//         |------------------------------>|  unshare(rest), clone ------------->|
//         |<----- pid of init ------------|  exit                              |
//         |  batch "mounts"                                                    |
//         |------------------------------------------------------------------->|  rootfs, mounts
//         |  cgroup joined and limited meanwhile                               |
//         |  batch "root"                                                      |
//         |------------------------------------------------------------------->|  devices, pivot_root, names, user
//         |  state written                                                     |
//         |  batch "parking"                                                   |
//         |------------------------------------------------------------------->|  waits for start
//
// Without a new (or joined) pid namespace there is no clone: the stub itself becomes init.

import { present } from "../base/assert.ts";
import { planMaskedPaths, planReadonlyPaths } from "../inside/covered-paths.ts";
import { planCredentials } from "../inside/credentials.ts";
import { effectiveDevices, planDevices } from "../inside/devices.ts";
import { joinKeyring } from "../inside/keyring.ts";
import { finishMount, isBind, type MountEntry, planMount } from "../inside/mounts/mount.ts";
import { parseMountOptions } from "../inside/mounts/options.ts";
import {
  becomeRoot,
  dieWithRuntime,
  forkInit,
  joinedNamespaces,
  joinNamespaces,
  makeNamespaces,
  newCgroupNamespace,
  newNamespaces,
  newSession,
  newUserNamespace,
} from "../inside/namespaces.ts";
import {
  checkWorkingDirectory,
  enterWorkingDirectory,
  lookUpProgram,
  makeWorkingDirectory,
  ownStandardStreams,
  park,
  planUmask,
  programCandidates,
  readPasswd,
  reopenNullStreams,
  resetAffinity,
  settleStub,
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
  openPrivateProc,
  planDomainname,
  planHostname,
  planSysctls,
} from "../inside/system-names.ts";
import { batch, host, type InitProgram, type Part } from "../program/program.ts";
import type { Step } from "../program/step.ts";
import type { Linux, NamespaceType } from "../spec/types.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import { doorbellFd, type HostFacts, listenerFd } from "./host-facts.ts";

/** What the order asks of the namespaces. */
type Namespaces = {
  readonly made: ReadonlySet<NamespaceType>;
  readonly joined: ReadonlySet<NamespaceType>;
};

/** Composes the program of `create`. Pure: the same config on the same facts gives the same program. */
export function createProgram(spec: ValidatedSpec, facts: HostFacts): InitProgram {
  const linux = spec.linux ?? {};
  const listed = linux.namespaces ?? [];
  const namespaces: Namespaces = {
    made: new Set(newNamespaces(listed)),
    joined: new Set(joinedNamespaces(listed).map(({ type }) => type)),
  };
  return {
    parts: [
      ...enterNamespaces(linux, namespaces, facts),
      ...buildRoot(spec, namespaces, facts),
      batch("parking", parkSteps(namespaces, facts)),
    ],
  };
}

function enterNamespaces(linux: Linux, { made, joined }: Namespaces, facts: HostFacts): Part[] {
  const doorbell = doorbellFd(facts.preserveFds);
  const settle = settleStub({
    runtimePid: facts.runtimePid,
    firstForeignFd: listenerFd(facts.preserveFds) + 1,
  });
  const join = joinNamespaces(joinedNamespaces(linux.namespaces ?? []));
  const rest = [
    // Behind the user namespace, which then owns them.
    ...makeNamespaces([...made]),
    // unshare(2) and setns(2) put only children into a pid namespace.
    ...(made.has("pid") || joined.has("pid") ? forkInit(doorbell) : []),
    ...newSession(),
  ];
  if (!made.has("user")) return [batch("namespaces", [...settle, ...join, ...rest])];
  return [
    batch("user namespace", [...settle, ...join, ...newUserNamespace()]),
    // The maps can only be written from outside, and nothing has an owner before they are.
    host("write-id-maps"),
    batch("namespaces", [...becomeRoot(), ...dieWithRuntime(), ...rest]),
  ];
}

function buildRoot(spec: ValidatedSpec, namespaces: Namespaces, facts: HostFacts): Part[] {
  const { made } = namespaces;
  const entries = (spec.mounts ?? []).map((mount, index): MountEntry => ({ mount, index }));
  const mountFacts = { cgroup: facts.cgroup, bundle: facts.bundle };
  const hasMountNamespace = made.has("mount") || namespaces.joined.has("mount");
  // A mount of type cgroup shows the cgroup namespace, which can be made only in the cgroup: it and what follows it wait
  // for the runtime to have put init there.
  const cgroupMount = entries.findIndex(({ mount }) => mount.type?.startsWith("cgroup") === true);
  const split = cgroupMount === -1 ? entries.length : cgroupMount;
  const mountAll = (list: readonly MountEntry[]): Step[] =>
    hasMountNamespace ? list.flatMap((entry) => planMount(entry, mountFacts)) : [];
  const first = [
    ...(facts.keyring === undefined ? [] : joinKeyring(facts.keyring)),
    ...(made.has("network") ? loopbackUp() : []),
    ...(hasMountNamespace ? prepareRoot(facts.root, spec.linux?.rootfsPropagation) : []),
    ...mountAll(entries.slice(0, split)),
  ];
  const second = [
    ...resetAffinity(),
    ...(made.has("cgroup") ? newCgroupNamespace() : []),
    ...mountAll(entries.slice(split)),
    ...(hasMountNamespace
      ? enterRoot(spec, { namespaces, facts, entries })
      : chrootToRoot(facts.root)),
    ...becomeUser(spec, namespaces, facts),
  ];
  const limits: Part[] = made.has("user") ? [host("set-rlimits")] : [];
  return [
    batch("mounts", first, ["join-cgroup", "apply-resources"]),
    // In a user namespace init itself may not raise a limit.
    ...limits,
    batch("root", second),
  ];
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
  const bindDevices =
    facts.inUserNamespace || namespaces.made.has("user") || namespaces.joined.has("user");
  const devices = effectiveDevices(linux.devices ?? []);
  return [
    // The host's proc must still be in sight.
    ...(hasSysctls ? openPrivateProc() : []),
    // A /dev bound from the host has its devices, and is not ours to change.
    ...(bindsDev(entries)
      ? []
      : planDevices(devices, { bind: bindDevices, hostHasKcore: facts.hostHasKcore })),
    ...makeWorkingDirectory(spec.process.cwd),
    // Once everything is mounted that they could cover. Read-only first: a masked path may lie below a read-only one.
    ...planReadonlyPaths(linux.readonlyPaths ?? []),
    ...planMaskedPaths(linux.maskedPaths ?? []),
    // Mount points and devices inside them have been made.
    ...entries.flatMap(finishMount),
    ...(facts.noPivot ? moveToRoot() : pivotToRoot()),
    ...finishRoot({
      propagation: linux.rootfsPropagation,
      readonly: spec.root.readonly === true,
    }),
    ...planHostname(spec.hostname),
    ...planDomainname(spec.domainname),
    ...(hasSysctls ? [...planSysctls(sysctls), ...closePrivateProc()] : []),
  ];
}

function bindsDev(entries: readonly MountEntry[]): boolean {
  return entries.some(
    ({ mount }) =>
      mount.destination.replace(/\/+$/, "") === "/dev" &&
      isBind(mount, parseMountOptions(mount.options ?? [])),
  );
}

function becomeUser(spec: ValidatedSpec, { made }: Namespaces, facts: HostFacts): Step[] {
  const { process } = spec;
  const user = process.user ?? {};
  const linux = spec.linux ?? {};
  return [
    // Inside the root: the host's null device would be a way out of the mount namespace's device rules.
    ...reopenNullStreams(facts.nullStreams),
    ...ownStandardStreams({ uid: user.uid ?? 0, gid: user.gid ?? 0 }),
    ...readPasswd(process.env ?? []),
    // As root, who may enter what the user may not.
    ...enterWorkingDirectory(process.cwd),
    ...planUmask(user.umask),
    // Before the user loses the right to raise them.
    ...limitsAtCreate(effectiveLimits(process.rlimits ?? [], facts.callerOpenFiles)),
    ...planCredentials(process, { setgroups: !made.has("user") || mapsSeveralGids(linux) }),
    // setresuid has cleared it.
    ...dieWithRuntime(),
    ...checkWorkingDirectory(process.cwd),
    // As the user: what counts is what the user may execute.
    ...lookUpProgram(programCandidates(present(process.args[0], "args[0]"), process.env ?? [])),
  ];
}

/** With a map of a single id written by an unprivileged caller, setgroups is denied for good. */
function mapsSeveralGids(linux: Linux): boolean {
  const mappings = linux.gidMappings ?? [];
  return mappings.length > 1 || (mappings[0]?.size ?? 0) > 1;
}

function parkSteps({ made }: Namespaces, facts: HostFacts): Step[] {
  return park({
    doorbell: doorbellFd(facts.preserveFds),
    listener: listenerFd(facts.preserveFds),
    exitAddress: facts.exitAddress,
    dumpable: made.has("pid"),
  });
}
