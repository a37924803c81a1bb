// THE ORDER of exec: what its process does between being spawned and being ready to execute the program, one line a feature.
//
//      runtime                          stub                                 the process (its child, in the container)
//         |  spawn, batch "joining"       |
//         |------------------------------>|  settle, join the pid namespace
//         |  process planned meanwhile    |  clone (into the v2 cgroup) ------->|
//         |<----- pid of the process -----|  exit                               |  v1 cgroups
//         |  batch "process"                                                    |
//         |-------------------------------------------------------------------->|  limits, namespaces, terminal, user,
//         |                                                                     |  capabilities, where the program is
//         |  batch of start-program.ts                                          |
//         |-------------------------------------------------------------------->|  execve
//
// The child is forked while it is still the host's root and in the host's mount namespace: only so may it join the groups,
// raise limits, and find files of the host. It joins all namespaces of init at once, through a pidfd. From its first to its
// last step it cannot be looked into, and nothing is mounted.

import { present } from "../base/assert.ts";
import { planExecutionDomain, planScheduling, setAffinity } from "../inside/attributes.ts";
import { type CgroupPlaces, joinCgroupV1, joinCgroupV2, openCgroupV2 } from "../inside/cgroup.ts";
import { type GroupsRule, planCredentials } from "../inside/credentials.ts";
import { joinKeyringOfInit } from "../inside/keyring.ts";
import { isLabelled, labelKeyring, planLabels } from "../inside/labels.ts";
import {
  becomeRoot,
  dieWithRuntime,
  forkInit,
  joinNamespacesOf,
  newSession,
} from "../inside/namespaces.ts";
import {
  checkWorkingDirectory,
  enterWorkingDirectory,
  hideFromContainer,
  lookUpProgram,
  ownStandardStreams,
  planUmask,
  programCandidates,
  readPasswd,
  reopenNullStreams,
  resetAffinity,
  settleStub,
  tellPid,
} from "../inside/process.ts";
import { effectiveLimits, limitsAtCreate } from "../inside/rlimits.ts";
import { enterOpenedRoot, openRoot } from "../inside/rootfs.ts";
import { closePrivateProc, openPrivateProc } from "../inside/system-names.ts";
import {
  findMultiplexer,
  openDescriptors,
  openHostTerminal,
  openTerminal,
  takeTerminal,
} from "../inside/terminal.ts";
import { batch, type Part } from "../program/program.ts";
import { type Step, step } from "../program/step.ts";
import type { ExecProcess } from "../spec/exec-process.ts";
import type { Linux, NamespaceType } from "../spec/types.ts";
import { close } from "../syscall/files.ts";
import { cgroupFd, doorbellFd, type HostFacts, masterFd, relayFd, targetFd } from "./host-facts.ts";

/** What has to be known of the container and the host before the stub is started. */
export type JoinFacts = Pick<HostFacts, "runtimePid" | "preserveFds"> & {
  readonly cgroupPlaces: CgroupPlaces;
  /** Those of init in which the runtime is not. */
  readonly namespaces: readonly NamespaceType[];
  /** Set where the runtime is not root: what it then does in another order. */
  readonly asUser?: { readonly keepsGroups: boolean } | undefined;
};

/** What can be found out while the stub is joining. */
export type ProcessFacts = Pick<
  HostFacts,
  "nullStreams" | "callerOpenFiles" | "lastCapability" | "keyring" | "filter"
> & {
  readonly initPid: number;
  /** Whether the root of init's mount namespace is the container's; otherwise init has only changed its root. */
  readonly ownsMounts: boolean;
  readonly groups: GroupsRule;
  /** What the container's config says of personality and memory policy. */
  readonly linux: Pick<Linux, "personality" | "memoryPolicy">;
  /** Whether the process is told the number of sockets that it gets, and so has to be told its pid. */
  readonly activated: boolean;
  /** Whether the program is looked for: where its path is given, execve has the word. */
  readonly searches: boolean;
};

export type PlannedProcess = { readonly process: ExecProcess; readonly facts: ProcessFacts };

/**
 * Composes the parts of exec, each when it is asked for: by then the stub is busy with the one before. Pure but for `plan`,
 * which is asked once, for the second; where it has no answer there are no more parts.
 */
export function* execParts(
  facts: JoinFacts,
  plan: () => PlannedProcess | undefined,
): Generator<Part> {
  yield batch("joining", join(facts));
  const planned = plan();
  if (planned === undefined) return;
  const entered = enter(facts, planned);
  const user = becomeUser(planned);
  if (planned.process.terminal !== true) {
    yield batch("process", [...entered, ...user], { independent: true });
    return;
  }
  if (!planned.facts.ownsMounts) {
    yield batch("process", [...entered, ...takeTerminal(), ...user], { independent: true });
    return;
  }
  const fds = { relayFd: relayFd(facts.preserveFds), masterFd: masterFd(facts.preserveFds) };
  // A batch of its own: that it is a multiplexer is known before it is opened.
  yield batch("terminal", [...entered, ...findMultiplexer(fds.relayFd)], { independent: true });
  const terminal = openTerminal(planned.process, { ...fds, descriptors: true });
  yield batch("process", [...terminal, ...takeTerminal(), ...user]);
}

/**
 * An ordinary user has the rights to join anything only in the container's user namespace, and none to the cgroups there:
 * so these come first, and what the user namespace owns behind it.
 */
function joinAsUser(facts: JoinFacts, { keepsGroups }: { readonly keepsGroups: boolean }): Step[] {
  const { runtimePid, preserveFds, cgroupPlaces, namespaces } = facts;
  const target = targetFd(preserveFds);
  return [
    ...settleStub({ runtimePid, firstForeignFd: target + 1 }),
    ...joinCgroupV1(cgroupPlaces),
    ...joinCgroupV2(cgroupPlaces),
    ...(namespaces.includes("user") ? enterUserNamespace(target, keepsGroups) : []),
    ...joinNamespacesOf(target, namespaces.filter(isPid)),
    ...forkInit({ doorbell: doorbellFd(preserveFds), cgroupFd: undefined }),
  ];
}

/** New credentials show a process where fs.suid_dumpable is set, and untie it from the runtime. */
function enterUserNamespace(target: number, keepsGroups: boolean): Step[] {
  return [
    ...joinNamespacesOf(target, ["user"]),
    ...hideFromContainer(),
    ...becomeRoot(keepsGroups),
    ...hideFromContainer(),
    ...dieWithRuntime(),
  ];
}

/** From the stub to a process in the container's pid namespace and cgroups. */
function join(facts: JoinFacts): Step[] {
  if (facts.asUser !== undefined) return joinAsUser(facts, facts.asUser);
  const { runtimePid, preserveFds, cgroupPlaces, namespaces } = facts;
  const { v2 } = cgroupPlaces;
  const fd = cgroupFd(preserveFds);
  const bornIn = v2 === undefined ? undefined : fd;
  return [
    ...settleStub({ runtimePid, firstForeignFd: targetFd(preserveFds) + 1 }),
    // Only children come into it: joined first, so that one fork will do.
    ...joinNamespacesOf(targetFd(preserveFds), namespaces.filter(isPid)),
    ...(v2 === undefined ? [] : openCgroupV2(v2, fd)),
    ...forkInit({ doorbell: doorbellFd(preserveFds), cgroupFd: bornIn }),
    // Behind the fork: a group with room for one process has room for this one, and not for two.
    ...joinCgroupV1(cgroupPlaces),
  ];
}

function isPid(type: NamespaceType): boolean {
  return type === "pid";
}

/** Into the other namespaces and the root of init, with what only the host's root can do done before. */
function enter(joined: JoinFacts, { process, facts }: PlannedProcess): Step[] {
  const hasUser = joined.asUser !== undefined;
  const others = joined.namespaces.filter((type) => !isPid(type) && !(hasUser && type === "user"));
  const target = targetFd(joined.preserveFds);
  const affinity = process.execCPUAffinity?.final ?? "";
  const { selinuxLabel = "" } = process;
  const keyring = facts.keyring === undefined ? [] : joinKeyringOfInit(facts.keyring);
  return [
    // Behind the cpuset, which says what "every processor" is.
    ...(affinity === "" ? resetAffinity() : [setAffinity("final", affinity)]),
    ...((process.scheduler ?? process.ioPriority) === undefined ? [] : planScheduling(process)),
    ...limitsAtCreate(effectiveLimits(process.rlimits ?? [], facts.callerOpenFiles)),
    // As the host's root: in a user namespace the kernel would want to see a proc with nothing masked.
    ...(isLabelled(process) ? openPrivateProc() : []),
    ...(facts.ownsMounts ? [] : openRoot(`/proc/${facts.initPid}/root`)),
    ...(process.terminal === true ? prepareTerminal(joined, { process, facts }) : []),
    ...joinNamespacesOf(target, others),
    step("letting go of the container's init", close(target)),
    // New credentials show a process where fs.suid_dumpable is set, and untie it from the runtime.
    ...(others.includes("user")
      ? [
          ...hideFromContainer(),
          ...becomeRoot(facts.groups === "kept"),
          ...hideFromContainer(),
          ...dieWithRuntime(),
        ]
      : []),
    ...(facts.ownsMounts ? openRoot("/") : enterOpenedRoot()),
    ...newSession(),
    ...(selinuxLabel === "" ? keyring : labelKeyring(selinuxLabel, keyring)),
  ];
}

/** What a terminal takes of the host: our descriptors by name or, in a container with the host's mounts, all of it. */
function prepareTerminal(joined: JoinFacts, { process, facts }: PlannedProcess): Step[] {
  if (facts.ownsMounts) return openDescriptors();
  return openHostTerminal(process, masterFd(joined.preserveFds));
}

/** From root in the container to the user that it asks for, with everything found out that can fail. */
function becomeUser({ process, facts }: PlannedProcess): Step[] {
  const { uid = 0, umask } = process.user ?? {};
  const env = process.env ?? [];
  const { linux } = facts;
  const nullStreams = process.terminal === true ? [] : facts.nullStreams;
  return [
    ...reopenNullStreams(nullStreams),
    ...ownStandardStreams({ uid }, nullStreams),
    ...readPasswd(env, uid),
    // As root, who may enter what the user may not.
    ...enterWorkingDirectory(process.cwd),
    ...planUmask(umask),
    ...((linux.personality ?? linux.memoryPolicy) === undefined ? [] : planExecutionDomain(linux)),
    ...(isLabelled(process) ? [...planLabels(process), ...closePrivateProc()] : []),
    ...planCredentials(process, { ...facts, kept: facts.filter?.kept ?? 0n }),
    ...hideFromContainer(),
    ...dieWithRuntime(),
    ...checkWorkingDirectory(process.cwd),
    ...(facts.activated ? tellPid() : []),
    // As the user: what counts is what the user may execute.
    ...(facts.searches
      ? lookUpProgram(programCandidates(present(process.args[0], "args[0]"), env))
      : []),
    // It may forbid any of the above.
    ...(facts.filter?.atCreate ?? []),
  ];
}
