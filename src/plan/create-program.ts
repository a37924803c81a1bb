// THE ORDER: what init does between being spawned and being parked, one line a feature, with the reason for its place.
//
//      runtime                          stub                                 init (child of the stub, in the namespaces)
//         |  spawn, batch "namespaces"    |
//         |------------------------------>|  settle, cgroup, join, unshare(user)
//         |  uid_map, gid_map             |
//         |------------------------------>|  unshare(rest), clone ------------->|
//         |<----- pid of init ------------|  exit                              |
//         |  batch "root and user"                                             |
//         |------------------------------------------------------------------->|  mounts, devices, pivot_root, names,
//         |  cgroup limited meanwhile                                          |  user, capabilities
//         |  state written                                                     |
//         |  batch "parking"                                                   |
//         |------------------------------------------------------------------->|  waits for start
//
// Without a new (or joined) pid namespace there is no clone: the stub itself becomes init.

import { present } from "../base/assert.ts";
import { joinCgroupV1, joinCgroupV2 } from "../inside/cgroup.ts";
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
import { cgroupFd, doorbellFd, type HostFacts, listenerFd } from "./host-facts.ts";

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
  const { cgroupPlaces: places, preserveFds } = facts;
  const settle = settleStub({
    runtimePid: facts.runtimePid,
    firstForeignFd: cgroupFd(preserveFds) + 1,
  });
  const forks = made.has("pid") || joined.has("pid");
  const bornInCgroup = forks && places.v2 !== undefined && !made.has("user") && !joined.has("user");
  const first = [
    ...settle,
    // While the stub is the host's root, and before the cgroup namespace, whose root is then the group.
    ...joinCgroupV1(places),
    ...(bornInCgroup ? [] : joinCgroupV2(places)),
    ...joinNamespaces(joinedNamespaces(linux.namespaces ?? [])),
  ];
  const second = [
    // Behind the user namespace, which then owns them.
    ...makeNamespaces([...made]),
    // unshare(2) and setns(2) put only children into a pid namespace.
    ...(forks
      ? forkInit({
          doorbell: doorbellFd(preserveFds),
          cgroupFd: bornInCgroup ? cgroupFd(preserveFds) : undefined,
        })
      : []),
    ...(made.has("cgroup") ? newCgroupNamespace() : []),
    ...newSession(),
  ];
  // Before init makes devices: in the middle of it, the rules allow none.
  const meanwhile = ["apply-device-rules"] as const;
  if (!made.has("user")) return [batch("namespaces", [...first, ...second], meanwhile)];
  return [
    batch("user namespace", [...first, ...newUserNamespace()], meanwhile),
    // The maps can only be written from outside, and nothing has an owner before they are.
    host("write-id-maps"),
    batch("namespaces", [...becomeRoot(), ...dieWithRuntime(), ...second]),
  ];
}

function buildRoot(spec: ValidatedSpec, namespaces: Namespaces, facts: HostFacts): Part[] {
  const { made } = namespaces;
  const entries = (spec.mounts ?? []).map((mount, index): MountEntry => ({ mount, index }));
  const mountFacts = { cgroup: facts.cgroup, bundle: facts.bundle };
  const hasMountNamespace = made.has("mount") || namespaces.joined.has("mount");
  const setUp = [
    ...resetAffinity(),
    ...(facts.keyring === undefined ? [] : joinKeyring(facts.keyring)),
    ...(made.has("network") ? loopbackUp() : []),
    ...(hasMountNamespace
      ? [
          ...prepareRoot(facts.root, spec.linux?.rootfsPropagation),
          ...entries.flatMap((entry) => planMount(entry, mountFacts)),
          ...enterRoot(spec, { namespaces, facts, entries }),
        ]
      : chrootToRoot(facts.root)),
  ];
  const user = becomeUser(spec, namespaces, facts);
  // Behind the fork, which a limit of one process would forbid.
  const meanwhile = ["apply-limits"] as const;
  if (!made.has("user")) return [batch("root and user", [...setUp, ...user], meanwhile)];
  return [
    batch("root", setUp, meanwhile),
    // In a user namespace init itself may not raise a limit.
    host("set-rlimits"),
    batch("user", user),
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
