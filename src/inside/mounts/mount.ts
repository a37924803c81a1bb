// One entry of config.json's mounts as steps: which of the ways of mounting it takes, and what happens to it afterwards.

import { atFlags } from "../../abi/file.ts";
import { type Step, step } from "../../program/step.ts";
import type { Mount } from "../../spec/types.ts";
import { close } from "../../syscall/files.ts";
import { mountSetattr, moveMount } from "../../syscall/mounts.ts";
import { slot } from "../../syscall/value.ts";
import { inRootWithoutLinks, openInRoot, openTarget, type TargetKind } from "../root-paths.ts";
import { bindSteps } from "./bind.ts";
import { type CgroupMountFacts, planCgroupMount } from "./cgroup.ts";
import { newFileSystemSteps } from "./file-system.ts";
import { type MountOptions, type Propagation, parseMountOptions } from "./options.ts";

const { AT_EMPTY_PATH, AT_RECURSIVE } = atFlags;

/** What mounting needs to know besides the entries themselves. */
export type MountFacts = {
  readonly cgroup: CgroupMountFacts;
  /** Relative sources of binds start here. */
  readonly bundle: string;
};

/** A mount entry under its number, which makes the names of its slots. */
export type MountEntry = { readonly mount: Mount; readonly index: number };

/** Steps that mount one entry, in the container's mount namespace, before the root is pivoted to. Run by init. */
export function planMount({ mount, index }: MountEntry, facts: MountFacts): Step[] {
  const options = parseMountOptions(mount.options ?? []);
  const name = `mount${index}`;
  if (mount.type === "cgroup" || mount.type === "cgroup2") {
    return planCgroupMount({ mount, name, options }, facts.cgroup);
  }
  const doing = mountDoing(mount);
  if (isBind(mount, options)) {
    const source = absoluteSource(mount.source ?? "", facts.bundle);
    return [
      ...bindSteps({ doing, name, source, options }),
      ...attach({
        doing,
        name,
        destination: mount.destination,
        kind: { like: name },
        propagations: options.propagations,
      }),
    ];
  }
  const noLinks = mount.type === "proc" || mount.type === "sysfs";
  return [
    ...newFileSystemSteps({ doing, name, mount, options }),
    ...attach({
      doing,
      name,
      destination: mount.destination,
      kind: "directory",
      propagations: options.propagations,
      ...(noLinks ? { resolve: inRootWithoutLinks } : {}),
    }),
  ];
}

/** runc's words, which tools look for: `error mounting "proc" to rootfs at "/proc"`. */
export function mountDoing(mount: Mount): string {
  const source = mount.source ?? mount.type ?? "";
  return `error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(mount.destination)}`;
}

/** Spec: config.md#posix-platform-mounts: `bind` and `rbind` make a bind mount, whatever the type says. */
export function isBind(mount: Mount, options: MountOptions): boolean {
  return mount.type === "bind" || options.bind;
}

function absoluteSource(source: string, bundle: string): string {
  return source.startsWith("/") ? source : `${bundle}/${source}`;
}

export type Attachment = {
  readonly doing: string;
  /** The slot of the detached mount. */
  readonly name: string;
  readonly destination: string;
  readonly kind: TargetKind;
  readonly propagations: readonly Propagation[];
  readonly resolve?: number;
};

/** Moves a detached mount to its place in the rootfs, descriptor to descriptor, and lets go of both. */
export function attach(attachment: Attachment): Step[] {
  const { doing, name, destination, kind, resolve } = attachment;
  const target = `${name}.target`;
  return [
    openTarget(doing, destination, {
      slot: target,
      kind,
      ...(resolve === undefined ? {} : { resolve }),
    }),
    step(doing, moveMount(slot(name), slot(target))),
    ...attachment.propagations.map(({ type, recursive }) =>
      step(
        `${doing}: changing its propagation`,
        mountSetattr(slot(name), "", {
          flags: AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0),
          propagation: type,
        }),
      ),
    ),
    step(doing, close(slot(target))),
    step(doing, close(slot(name))),
  ];
}

/**
 * Steps for what a mount gets only when everything else is in place: a read-only tmpfs, in which mount points and
 * devices of later entries had to be made first.
 */
export function finishMount({ mount, index }: MountEntry): Step[] {
  if (!isLateReadonly(mount)) return [];
  const doing = `making ${JSON.stringify(mount.destination)} read-only`;
  const here = `mount${index}.finished`;
  const set = parseMountOptions(mount.options ?? []).attributes.set;
  return [
    openInRoot(doing, mount.destination, { slot: here }),
    step(doing, mountSetattr(slot(here), "", { flags: AT_EMPTY_PATH, set })),
    step(doing, close(slot(here))),
  ];
}

/** Whether the entry's `ro` is applied at the end. */
export function isLateReadonly(mount: Mount): boolean {
  const options = parseMountOptions(mount.options ?? []);
  return mount.type === "tmpfs" && !options.bind && (options.attributes.set & 1) !== 0;
}
