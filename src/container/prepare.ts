// Everything of a create that has no effect: the config read and checked, the host looked at, the plans made.

import { debug } from "../base/debug.ts";
import { raise } from "../base/fault.ts";
import { execute } from "../ffi/execute.ts";
import { readCgroupHost } from "../host/cgroups/host.ts";
import {
  cgroupMountFacts,
  cgroupPlaces,
  isInUserNamespace,
  readCallerOpenFiles,
  readLastCapability,
  readListenFds,
  readNullStreams,
  readRootFacts,
  readWholeMounts,
  rootfsPath,
} from "../host/facts.ts";
import { exists, type OwnedFd, readTextIfPresent } from "../host/files.ts";
import { readNotifySocket } from "../host/notify-address.ts";
import type { ResctrlPlan } from "../host/resctrl.ts";
import { isOrdinaryUser, isRootlessForCgroups } from "../host/rootless.ts";
import { stubExitAddress } from "../init/stub-process.ts";
import {
  type CgroupPaths,
  type CgroupPlan,
  type CgroupRequest,
  planCgroup,
  planNoCgroup,
  type Subgroups,
} from "../plan/cgroup.ts";
import type { CgroupHost } from "../plan/cgroup-host.ts";
import { cgroupOwner } from "../plan/cgroup-owner.ts";
import { groupsRule, refuseDeniedGroups } from "../plan/create-program.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { hasIdmaps, noIdmaps } from "../plan/idmaps.ts";
import type { planSubgroups } from "../plan/subgroups.ts";
import { acceptConfig } from "../spec/accept.ts";
import { hasFilter, subgroupsOf } from "../spec/annotations.ts";
import type { ContainerId } from "../spec/container-id.ts";
import { parseConfig } from "../spec/load.ts";
import type { SpecFacts } from "../spec/rules/rule.ts";
import type { Linux } from "../spec/types.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import { getpid } from "../syscall/processes.ts";
import { checkConsole } from "./console.ts";
import type { copyUp } from "./copy-up.ts";
import type { PreparedFilter } from "./filter.ts";
import type { OpenedIdmaps } from "./idmaps.ts";
import { keyringName } from "./record.ts";
import { containerPaths } from "./store.ts";
import type { ContainerUnit } from "./unit.ts";

/** What the caller of create or run has asked for. */
export type CreateOptions = {
  readonly root: string;
  readonly id: ContainerId;
  /** Absolute. */
  readonly bundle: string;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  readonly pidfdSocket?: string;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly preserveFds: number;
  readonly cgroupManager: "cgroupfs" | "systemd" | "disabled";
  readonly rootless: "true" | "false" | "auto";
  /** Told what is odd in the config, in words, and not worth failing. */
  readonly warn: (message: string) => void;
};

export type Prepared = {
  readonly spec: ValidatedSpec;
  /** The text of config.json, kept for `start`. */
  readonly configText: string;
  readonly rootfs: string;
  /** Whether refusals of the cgroup tree are to be expected. */
  readonly rootless: boolean;
  readonly cgroup: CgroupPlan;
  readonly facts: HostFacts;
  /** Descriptors of socket activation among those that are preserved. */
  readonly listenFds: number;
  /** What runs the config's hooks; undefined for a config without any. */
  readonly hooks: typeof import("./hooks.ts") | undefined;
  /** The seccomp filter; undefined where the config has none. */
  readonly filter: PreparedFilter | undefined;
  /** Makes what the container is shown of its notify socket; undefined where no service manager wants to be told. */
  readonly makeNotifyMount: ((directory: OwnedFd) => OwnedFd | undefined) | undefined;
  /** Moves the devices that the config names; undefined where it names none. */
  readonly moveNetDevices: ((pid: number) => Disposable) | undefined;
  /** The container's groups of resctrl; undefined where the config asks for none. */
  readonly resctrl: (ResctrlPlan & { readonly enter: (pid: number) => Disposable }) | undefined;
  /** Fills tmpfs that begin with what they cover; undefined where there are none. */
  readonly copyUp: typeof copyUp | undefined;
  /** The unit that holds the container; undefined where systemd is not asked. */
  readonly systemd: ContainerUnit | undefined;
  /** Opens the user namespaces of idmapped mounts; undefined where there are none. */
  readonly openIdmaps: (() => OpenedIdmaps) | undefined;
};

/**
 * Reads, checks and plans. Changes nothing.
 *
 * @param purpose.detached whether nobody of ours will be there to look after a terminal
 * @param purpose.fate whether init will wait for `start`, or go on at once
 */
export async function prepare(
  options: CreateOptions,
  purpose: { readonly detached: boolean; readonly fate: "parked" | "started" },
): Promise<Prepared> {
  const { bundle, id } = options;
  const configText = readConfig(bundle);
  const parsed = parseConfig(configText, "config.json");
  const ordinaryUser = isOrdinaryUser();
  const document = ordinaryUser ? await completeMaps(parsed) : parsed;
  const specFacts = { noPivot: options.noPivot, rootless: ordinaryUser };
  const spec = acceptConfig(document, specFacts) ?? (await explain(document, specFacts));
  if (ordinaryUser) refuseDeniedGroups(spec.process, groupsRule(spec, { inUserNamespace: false }));
  const { consoleSocket } = options;
  checkConsole({
    terminal: spec.process.terminal === true,
    consoleSocket,
    detached: purpose.detached,
  });
  const linux = spec.linux ?? {};
  const { selinuxLabel = "" } = spec.process;
  const labelled = selinuxLabel !== "" || (linux.mountLabel ?? "") !== "";
  const selinux = labelled ? await import("../host/selinux.ts") : undefined;
  selinux?.requireSelinux(selinuxLabel);
  const rootfs = rootfsPath(spec, bundle);
  const root = readRootFacts(rootfs, linux.rootfsPropagation);
  const host = readCgroupHost();
  const { cgroupsPath, resources } = linux;
  // An ordinary user can give nothing away, and what it makes is its own.
  const owner = host.version === "v2" && !ordinaryUser ? cgroupOwner(spec) : undefined;
  const rootless = isRootlessForCgroups(options.rootless);
  const subgroups = await loadSubgroups(spec, {
    manager: options.cgroupManager,
    version: host.version,
    ordinaryUser,
  });
  const request = { id, cgroupsPath, resources, owner, subgroups };
  const { cgroup, wanted, systemd } = await planGroups(request, host, { options, spec, rootless });
  const listenFds = readListenFds();
  const filter = hasFilter(spec)
    ? await (await import("./filter.ts")).prepareFilter(options, spec, purpose.fate)
    : undefined;
  const facts: HostFacts = {
    bundle,
    root,
    cgroupPlaces: cgroupPlaces(cgroup),
    delegatesCgroup: cgroup.delegated !== undefined,
    cgroup: cgroupMountFacts(linux, host, { paths: cgroup.paths, wanted }),
    runtimePid: execute(getpid()),
    preserveFds: options.preserveFds + listenFds,
    // Without a mount namespace there is no way to show it the socket.
    notifies: readNotifySocket() !== undefined && hasOwnMounts(linux),
    nullStreams: readNullStreams(),
    callerOpenFiles: readCallerOpenFiles(),
    hostHasKcore: exists("/proc/kcore"),
    lastCapability: readLastCapability(),
    inUserNamespace: isInUserNamespace(),
    ordinaryUser,
    selinux: selinux?.isSelinuxEnabled() === true,
    filter: filter?.planned,
    noPivot: options.noPivot,
    wholeMounts: options.noPivot ? readWholeMounts(rootfs) : [],
    keyring: options.noNewKeyring ? undefined : keyringName(id),
    exitAddress: stubExitAddress,
    directory: containerPaths(options).directory,
    idmaps: hasIdmaps(spec.mounts ?? [])
      ? (await import("../plan/plan-idmaps.ts")).planIdmaps(spec)
      : noIdmaps,
    links: asksFor(spec, "copy-symlink")
      ? (await import("../host/copied-links.ts")).readCopiedLinks(spec, bundle)
      : new Map(),
  };
  debug(() => `${bundle}/config.json is valid: ${spec.ociVersion}, rootfs ${rootfs}`);
  debug(() => `cgroup ${cgroup.version}: ${[...new Set(Object.values(cgroup.paths))].join(" ")}`);
  const notifying = facts.notifies ? await import("../host/notify-socket.ts") : undefined;
  const makeNotifyMount =
    notifying && ((directory: OwnedFd) => notifying.makeNotifyMount(directory, ordinaryUser));
  const rare = {
    systemd,
    moveNetDevices: await loadNetDevices(linux),
    hooks: spec.hooks === undefined ? undefined : await import("./hooks.ts"),
    resctrl: await loadResctrl(id, linux),
    openIdmaps: await loadIdmaps(facts),
    copyUp: asksFor(spec, "tmpcopyup") ? (await import("./copy-up.ts")).copyUp : undefined,
  };
  // What is kept has the maps that were added.
  const acceptedText = document === parsed ? configText : JSON.stringify(document);
  const accepted = { filter, spec, configText: acceptedText, rootfs, rootless };
  return { ...accepted, cgroup, facts, listenFds, makeNotifyMount, ...rare };
}

/** Adds the maps that an ordinary user need not write down. */
async function completeMaps(document: unknown): Promise<unknown> {
  return (await import("./automatic-maps.ts")).addAutomaticMaps(document);
}

/** The groups that annotations ask for; what can be said of them is loaded only then. */
async function loadSubgroups(
  spec: ValidatedSpec,
  around: Parameters<typeof planSubgroups>[1],
): Promise<Subgroups | undefined> {
  const { subgroup, delegated } = subgroupsOf(spec);
  if (subgroup === "" && delegated === "") return undefined;
  return (await import("../plan/subgroups.ts")).planSubgroups(spec, around);
}

/** The container's groups by the manager that was asked for, and its unit where that is systemd. */
async function planGroups(
  request: CgroupRequest,
  host: CgroupHost,
  around: {
    readonly options: Pick<CreateOptions, "cgroupManager">;
    readonly spec: ValidatedSpec;
    readonly rootless: boolean;
  },
): Promise<{
  readonly cgroup: CgroupPlan;
  /** Where the groups would be with every right. */
  readonly wanted: CgroupPaths;
  readonly systemd: ContainerUnit | undefined;
}> {
  const { options, spec, rootless } = around;
  if (options.cgroupManager === "disabled") {
    const wanted = planCgroup({ id: request.id }, host).paths;
    return { cgroup: planNoCgroup(request, host), wanted, systemd: undefined };
  }
  if (options.cgroupManager === "systemd") {
    const { prepareUnit } = await import("./unit.ts");
    const annotations = spec.annotations ?? {};
    const systemd = await prepareUnit({ ...request, annotations }, host, isOrdinaryUser());
    return { cgroup: systemd.cgroup, wanted: systemd.cgroup.paths, systemd };
  }
  const bears = rootless && (request.cgroupsPath ?? "") === "";
  const plan = planCgroup(request, host);
  const cgroup = await permitted(plan, { host, bears });
  return { cgroup, wanted: plan.paths, systemd: undefined };
}

/** The plan without what the caller has no right to, where that can be borne. */
async function permitted(
  plan: CgroupPlan,
  { host, bears }: { readonly host: CgroupHost; readonly bears: boolean },
): Promise<CgroupPlan> {
  return bears ? (await import("../host/cgroups/rights.ts")).withinRights(plan, host) : plan;
}

/** Whether any mount has the option. */
function asksFor({ mounts = [] }: ValidatedSpec, option: string): boolean {
  return mounts.some(({ options }) => options?.includes(option) === true);
}

async function loadIdmaps({ idmaps, directory }: HostFacts): Promise<Prepared["openIdmaps"]> {
  if (idmaps.sources.length === 0) return undefined;
  const { openIdmaps } = await import("./idmaps.ts");
  return () => openIdmaps(idmaps.sources, directory);
}

async function loadNetDevices({ netDevices }: Linux): Promise<Prepared["moveNetDevices"]> {
  if (netDevices === undefined || Object.keys(netDevices).length === 0) return undefined;
  const { moveNetDevices } = await import("../host/net-devices.ts");
  return (pid) => moveNetDevices(pid, netDevices);
}

async function loadResctrl(id: string, { intelRdt }: Linux): Promise<Prepared["resctrl"]> {
  if (intelRdt === undefined || Object.keys(intelRdt).length === 0) return undefined;
  const { enterResctrl, planResctrl } = await import("../host/resctrl.ts");
  const plan = planResctrl(id, intelRdt);
  return { ...plan, enter: (pid) => enterResctrl(pid, plan) };
}

function hasOwnMounts({ namespaces = [] }: Linux): boolean {
  return namespaces.some(({ type }) => type === "mount");
}

/** Loads what knows the reasons only where there is something to explain. */
async function explain(document: unknown, facts: SpecFacts): Promise<ValidatedSpec> {
  const { validateConfig } = await import("../spec/validate.ts");
  return validateConfig(document, facts);
}

/** Spec: runtime.md#create: the bundle's config.json; runc's words when there is none. */
function readConfig(bundle: string): string {
  const text = readTextIfPresent(`${bundle}/config.json`, "reading config.json");
  if (text !== undefined) return text;
  if (!exists(bundle)) {
    raise({ kind: "refused", message: `chdir ${bundle}: no such file or directory` });
  }
  return raise({ kind: "refused", message: "JSON specification file config.json not found" });
}
