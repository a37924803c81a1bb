// How init gets into its namespaces and cgroups: the first part of create's order (create-program.ts), by two ways.

import { joinCgroupV1, joinCgroupV2, openCgroupV2 } from "../inside/cgroup.ts";
import { mountEntries } from "../inside/mounts/mount.ts";
import {
  becomeRoot,
  dieWithRuntime,
  forkInit,
  joinedNamespaces,
  joinNamespaces,
  makeNamespaces,
  newCgroupNamespace,
  newSession,
  newUserNamespace,
} from "../inside/namespaces.ts";
import { hideFromContainer, settleStub, showToUser } from "../inside/process.ts";
import { batch, host, type Part } from "../program/program.ts";
import type { Step } from "../program/step.ts";
import { keepsGroups } from "../spec/annotations.ts";
import type { Linux, NamespaceType, Spec } from "../spec/types.ts";
import { cgroupFd, doorbellFd, type HostFacts, idmapFd, listenerFd } from "./host-facts.ts";
import { stageMounts, stagesMounts } from "./stage-mounts.ts";

/** What the order asks of the namespaces. */
export type Namespaces = {
  readonly made: ReadonlySet<NamespaceType>;
  readonly joined: ReadonlySet<NamespaceType>;
};

/** From the spawned stub to init, in all of its namespaces. */
export function enterNamespaces(
  spec: Spec,
  namespaces: Namespaces,
  facts: HostFacts,
): Generator<Part> {
  return hasUserNamespace(namespaces)
    ? enterAsOther(spec, namespaces, facts)
    : enterAsRoot(spec.linux ?? {}, namespaces, facts);
}

/** Whether the stub does not stay the host's root. */
export function hasUserNamespace({ made, joined }: Namespaces): boolean {
  return made.has("user") || joined.has("user");
}

function settle({ idmaps, notifies, preserveFds, runtimePid }: HostFacts): Step[] {
  const maps = idmaps.sources.length;
  const behindListener = listenerFd(preserveFds) + 1;
  const firstForeignFd = notifies || maps > 0 ? idmapFd(preserveFds, maps) : behindListener;
  return settleStub({ runtimePid, firstForeignFd });
}

/** Without a user namespace: the stub stays the host's root all the way. */
function* enterAsRoot(linux: Linux, namespaces: Namespaces, facts: HostFacts): Generator<Part> {
  const { cgroupPlaces: places, preserveFds } = facts;
  const fd = cgroupFd(preserveFds);
  // Where the v2 tree is mounted with nsdelegate, who has joined another's cgroup namespace may not leave its root (cgroups(7)).
  const early = namespaces.joined.has("cgroup");
  const bornIn = early || !forks(namespaces) ? undefined : places.v2;
  const joinGroups = [
    ...joinCgroupV1(places),
    ...(bornIn === undefined ? joinCgroupV2(places) : openCgroupV2(bornIn, fd)),
  ];
  if (early) yield host("make-cgroup");
  const entering = [
    ...settle(facts),
    ...(early ? joinGroups : []),
    ...joinNamespaces(joinedNamespaces(linux.namespaces ?? [])),
    ...makeNamespaces(namespaces.made),
  ];
  yield batch("namespaces", entering, {
    // A network namespace takes the kernel longer than all the rest.
    meanwhile: early ? ["apply-device-rules"] : ["make-cgroup", "apply-device-rules"],
  });
  if (hasTimeOffsets(linux)) yield host("write-time-offsets");
  const steps = [
    ...(early ? [] : joinGroups),
    ...becomeInit(namespaces, facts, bornIn === undefined ? undefined : fd),
  ];
  yield batch("init", steps, { independent: true });
}

/** With a user namespace: what only the host's root may do comes before it. */
function* enterAsOther(spec: Spec, namespaces: Namespaces, facts: HostFacts): Generator<Part> {
  const { made } = namespaces;
  const { linux = {}, mounts = [] } = spec;
  const keeps = keepsGroups(spec);
  const entries = mountEntries(mounts);
  const staged = stagesMounts({ user: !facts.ordinaryUser, madeMount: made.has("mount") }, entries);
  const { cgroupPlaces: places } = facts;
  yield host("make-cgroup");
  const first = [
    ...settle(facts),
    // Init, its child, inherits the groups.
    ...joinCgroupV1(places),
    ...joinCgroupV2(places),
    ...(staged ? stageMounts(entries, facts) : []),
    ...joinNamespaces(joinedNamespaces(linux.namespaces ?? []), keeps),
  ];
  if (made.has("user")) {
    yield batch("user namespace", [
      ...first,
      // An ordinary user may only write the maps of a process that its user may look into.
      ...(facts.ordinaryUser ? showToUser() : []),
      ...newUserNamespace(),
    ]);
    // The maps can only be written from outside, and nothing has an owner before they are.
    yield host("write-id-maps");
  }
  const second = [
    ...(made.has("user")
      ? [
          ...(facts.ordinaryUser ? hideFromContainer() : []),
          ...becomeRoot(keeps),
          // New credentials show a process where fs.suid_dumpable is set.
          ...(facts.ordinaryUser ? hideFromContainer() : []),
          ...dieWithRuntime(),
        ]
      : first),
    // Inside the user namespace, which then owns them.
    ...makeNamespaces(made),
  ];
  const third = becomeInit(namespaces, facts, undefined);
  const options = { meanwhile: ["apply-device-rules"] } as const;
  if (!hasTimeOffsets(linux)) {
    yield batch("namespaces", [...second, ...third], options);
    return;
  }
  yield batch("namespaces", second, options);
  yield host("write-time-offsets");
  yield batch("init", third);
}

/** They can be written until the first process enters the time namespace: time_namespaces(7). */
function hasTimeOffsets({ timeOffsets }: Linux): boolean {
  return hasMembers(timeOffsets);
}

/** Whether a map asks for anything. */
export function hasMembers(map: object | undefined): boolean {
  return map !== undefined && Object.keys(map).length > 0;
}

/** unshare(2) and setns(2) put only children into a pid namespace, and unshare(2) only them into a time namespace. */
function forks({ made, joined }: Namespaces): boolean {
  return made.has("pid") || joined.has("pid") || made.has("time");
}

/** From the stub to init: forked into the pid namespace, with a cgroup namespace and a session of its own. */
function becomeInit(
  namespaces: Namespaces,
  facts: HostFacts,
  bornInCgroup: number | undefined,
): Step[] {
  const doorbell = doorbellFd(facts.preserveFds);
  return [
    ...(forks(namespaces) ? forkInit({ doorbell, cgroupFd: bornInCgroup }) : []),
    // Its root is the group that init is in by now.
    ...(namespaces.made.has("cgroup") ? newCgroupNamespace() : []),
    ...newSession(),
  ];
}
