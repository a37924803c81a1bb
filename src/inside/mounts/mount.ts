// One entry of config.json's mounts as steps: which of the ways of mounting it takes, and what happens to it afterwards.

import { atFlags, openFlags } from "../../abi/file.ts";
import { mountAttributes } from "../../abi/mount.ts";
import { raise } from "../../base/fault.ts";
import { type Step, step } from "../../program/step.ts";
import type { Mount } from "../../spec/types.ts";
import { close, fsetxattr, openat } from "../../syscall/files.ts";
import { mountSetattr } from "../../syscall/mounts.ts";
import { slot } from "../../syscall/value.ts";
import { inRootWithoutLinks } from "../root-paths.ts";
import { attach, mountDoing } from "./attach.ts";
import { bindSteps } from "./bind.ts";
import { type CgroupMountFacts, planCgroupMount } from "./cgroup.ts";
import { openForCopy } from "./copy-up.ts";
import { newFileSystemSteps } from "./file-system.ts";
import { type MountIdmap, mapIds } from "./idmap.ts";
import { hasLongData, longDataSteps } from "./long-data.ts";
import { type MountOptions, parseMountOptions } from "./options.ts";
import { openProcGuard, refuseFalseProc } from "./proc-guard.ts";
import { remountSteps } from "./remount.ts";
import { type StagedSource, stagedKind, stagedPath } from "./stage.ts";
import { copyLinkSteps } from "./symlink.ts";

const { AT_EMPTY_PATH } = atFlags;

/** What mounting needs to know besides the entries themselves. */
export type MountFacts = {
  readonly cgroup: CgroupMountFacts;
  /** Relative sources of binds start here. */
  readonly bundle: string;
  /** A descriptor number that is free for mounts that need a path. */
  readonly relayFd: number;
  /** `linux.mountLabel`; empty where there is none. */
  readonly label: string;
  /** Whether files can be given a label one by one: SELinux is in force. */
  readonly labelsFiles: boolean;
  /** The translations of idmapped mounts, by number of the mount. */
  readonly idmaps: ReadonlyMap<number, MountIdmap>;
  /** Whether the sources of binds have been staged, and translated. */
  readonly staged: boolean;
  /** What the sources of binds with `copy-symlink` are links to, by number of the mount; of those that are links. */
  readonly links: ReadonlyMap<number, string>;
};

/** A mount entry with its options sorted, under its number, which makes the names of its slots. */
export type MountEntry = {
  readonly mount: Mount;
  readonly index: number;
  readonly options: MountOptions;
  /** Its place is looked at, because the path to it could be a way into /proc (proc-guard.ts). */
  readonly guarded: boolean;
};

/** Takes the entries of a config. */
export function mountEntries(mounts: readonly Mount[]): readonly MountEntry[] {
  const guard = openProcGuard();
  return mounts.map((mount, index) => {
    const options = parseMountOptions(mount.options ?? []);
    return { mount, index, options, guarded: guard(mount, options) };
  });
}

/** Steps that mount one entry, in the container's mount namespace, before the root is pivoted to. Run by init. */
export function planMount(entry: MountEntry, facts: MountFacts): Step[] {
  const { mount, index } = entry;
  const options = facts.label === "" ? entry.options : labelOptions(entry, facts.label);
  const name = `mount${index}`;
  if (options.remount) {
    const { destination } = mount;
    const late = isFinished({ mount, options });
    return remountSteps({ doing: mountDoing(mount), name, destination, options, late });
  }
  if (mount.type === "cgroup" || mount.type === "cgroup2") {
    const { guarded } = entry;
    return planCgroupMount({ mount, name, options, label: facts.label, guarded }, facts.cgroup);
  }
  const doing = mountDoing(mount);
  if (isBind({ mount, options })) return planBind({ ...entry, options }, facts);
  if (hasLongData(options)) {
    if (copiesUp({ mount, options })) {
      raise({ kind: "refused", message: `${doing}: tmpcopyup with an option this long` });
    }
    const stays = isFinished({ mount, options });
    const { guarded } = entry;
    return longDataSteps({ doing, name, mount, options, relayFd: facts.relayFd, stays, guarded });
  }
  const noLinks = mount.type === "proc" || mount.type === "sysfs";
  return [
    ...newFileSystemSteps({ doing, name, mount, options }),
    ...(mount.type === "mqueue" && facts.labelsFiles ? labelFile(doing, name, facts.label) : []),
    ...attach({
      doing,
      name,
      destination: mount.destination,
      guarded: entry.guarded,
      kind: "directory",
      propagations: options.propagations,
      ...(noLinks ? { resolve: inRootWithoutLinks } : {}),
      stays: isFinished({ mount, options }),
      ...(copiesUp({ mount, options }) ? { placed: openForCopy(doing, name) } : {}),
    }),
  ];
}

/**
 * Whether what the mount covers is to be copied into it, once it is there: a tmpfs with `tmpcopyup`, which means nothing
 * elsewhere.
 */
export function copiesUp({ mount, options }: Pick<MountEntry, "mount" | "options">): boolean {
  return options.copyUp && mount.type === "tmpfs" && !options.bind && !options.remount;
}

/** A bind of a source of the host's, or of what has been staged for it. */
function planBind({ mount, index, options, guarded }: MountEntry, facts: MountFacts): Step[] {
  const doing = mountDoing(mount);
  const name = `mount${index}`;
  const source = absoluteSource(mount.source ?? "", facts.bundle);
  const idmap = facts.staged ? undefined : facts.idmaps.get(index);
  const { destination } = mount;
  const target = facts.links.get(index);
  if (target !== undefined) return copyLinkSteps({ doing, name, destination, target });
  return [
    ...bindSteps({ doing, name, source: facts.staged ? stagedPath(index) : source, options }),
    ...(/^\/+proc\/*$/.test(mount.destination) ? refuseFalseProc(doing, name) : []),
    ...attach({
      doing,
      name,
      destination,
      guarded,
      nofollow: options.destinationNofollow,
      kind: facts.staged ? { likePath: stagedKind(index) } : { like: name },
      propagations: options.propagations,
      ...(idmap === undefined ? {} : { placed: mapIds(doing, name, { source, idmap }) }),
    }),
  ];
}

/** The sources of binds, for the stage. */
export function sourcesToStage(
  entries: readonly MountEntry[],
  facts: Pick<MountFacts, "bundle" | "idmaps" | "links">,
): readonly StagedSource[] {
  const sources = entries.filter((entry) => isBind(entry) && !facts.links.has(entry.index));
  return sources.map(({ mount, index, options }) => ({
    doing: mountDoing(mount),
    index,
    source: absoluteSource(mount.source ?? "", facts.bundle),
    recursive: options.recursiveBind,
    nofollow: options.sourceNofollow,
    idmap: facts.idmaps.get(index),
  }));
}

/** The kernel gives these labels of their own; a bind's files have theirs. */
const selfLabelled: ReadonlySet<string | undefined> = new Set([
  ...["proc", "sysfs", "mqueue", "cgroup", "cgroup2"],
]);

/** Spec: config-linux.md#mount-label: the mount's files get the label, as with runc those of new file systems. */
function labelOptions({ mount, options }: MountEntry, label: string): MountOptions {
  if (selfLabelled.has(mount.type) || isBind({ mount, options })) return options;
  // In the text that mount(2) takes, the commas of a label would end it.
  const value = hasLongData(options) ? `"${label}"` : label;
  return { ...options, data: [...options.data, `context=${value}`] };
}

/** Labels the root of a file system that takes no label as a whole. */
function labelFile(doing: string, name: string, label: string): Step[] {
  const inside = `${name}.labelled`;
  return [
    step(doing, openat(slot(name), ".", { flags: openFlags.O_CLOEXEC }), { slot: inside }),
    step(doing, fsetxattr(slot(inside), "security.selinux", label)),
    step(doing, close(slot(inside))),
  ];
}

/** Spec: config.md#posix-platform-mounts: `bind` and `rbind` make a bind mount, whatever the type says; `remount` makes none. */
export function isBind({ mount, options }: Pick<MountEntry, "mount" | "options">): boolean {
  return (mount.type === "bind" || options.bind) && !options.remount;
}

/** The source of a bind mount; a relative one starts at the bundle. */
export function absoluteSource(source: string, bundle: string): string {
  return source.startsWith("/") ? source : `${bundle}/${source}`;
}

/** A read-only tmpfs becomes that late: mount points and devices of later entries have to be made in it first. */
function isFinished({ mount, options }: Pick<MountEntry, "mount" | "options">): boolean {
  const isReadonly = (options.attributes.set & mountAttributes.MOUNT_ATTR_RDONLY) !== 0;
  return mount.type === "tmpfs" && !options.bind && isReadonly;
}

/**
 * Steps for what a mount gets only when everything else is in place. By its descriptor: another one may lie over it by now,
 * which runc 1.1.5 makes read-only in its stead.
 */
export function finishMount({ mount, index, options }: MountEntry): Step[] {
  if (!isFinished({ mount, options })) return [];
  const doing = `making ${JSON.stringify(mount.destination)} read-only`;
  const set = mountAttributes.MOUNT_ATTR_RDONLY;
  const here = slot(`mount${index}`);
  return [
    step(doing, mountSetattr(here, "", { flags: AT_EMPTY_PATH, set })),
    step(doing, close(here)),
  ];
}
