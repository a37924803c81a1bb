// What may stand at /proc and in it, where the config alone does not tell: an image can have symbolic links on the way to a mount
// point, and a volume at a link to /proc would be what programs, and runtimes that enter the container, take for proc
// (CVE-2019-16884). What destinations say by their text is for the rules of spec/.

import { atFlags, fileSystemMagic } from "../../abi/file.ts";
import { pathNames } from "../../base/path.ts";
import { type Step, step } from "../../program/step.ts";
import type { Mount } from "../../spec/types.ts";
import { fstatfs, statx } from "../../syscall/files.ts";
import { slot } from "../../syscall/value.ts";
import type { MountOptions } from "./options.ts";

const { PROC_SUPER_MAGIC } = fileSystemMagic;
/** PROC_ROOT_INO */
const procRootInode = 1n;

/** File systems in which nothing is but what the kernel, or we, put there: no links that an image has made. */
const trustedTypes: ReadonlySet<string | undefined> = new Set([
  ...["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"],
]);

/**
 * Tells of one entry after the other whether its place has to be looked at. Not where it is in /proc by its text, which the rules
 * have allowed; not where no link is followed (proc, sysfs); not below a mount that shows a proc somewhere else, as asked;
 * and not below one of the trusted types, until something with links of its own has been mounted, which may lie over it.
 */
export function openProcGuard(): (mount: Mount, options: MountOptions) => boolean {
  const below = new Map<string, "proc" | "trusted">();
  let linked = false;
  return (mount, options) => {
    const path = `/${pathNames(mount.destination).join("/")}`;
    const isBind = mount.type === "bind" || options.bind;
    const followsLinks = isBind || (mount.type !== "proc" && mount.type !== "sysfs");
    const guarded = followsLinks && !isInProc(path) && isDoubtful(nearest(below, path), linked);
    if (isBind && isInProc(mount.source ?? "")) below.set(path, "proc");
    else if (!isBind && !options.copyUp && trustedTypes.has(mount.type)) below.set(path, "trusted");
    else if (!options.remount) linked = true;
    return guarded;
  };
}

function isDoubtful(above: "proc" | "trusted" | undefined, linked: boolean): boolean {
  return above === undefined || (above === "trusted" && linked);
}

/** What is known of the mount that is closest above a path. */
function nearest<Known>(known: ReadonlyMap<string, Known>, path: string): Known | undefined {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    const found = known.get(path.slice(0, at));
    if (found !== undefined) return found;
  }
  return undefined;
}

function isInProc(path: string): boolean {
  return path === "/proc" || path.startsWith("/proc/");
}

/** Steps that refuse a mount point in slot `target` which is in a procfs. */
export function refuseInsideProc(doing: string, target: string, destination: string): Step[] {
  return [
    step(doing, fstatfs(slot(target)), {
      slot: `${target}.filesystem`,
      target: JSON.stringify(destination),
      verify: {
        kind: "other-file-system",
        magic: PROC_SUPER_MAGIC,
        words: "cannot be mounted because it is inside /proc",
      },
    }),
  ];
}

/** Steps that refuse a mount in slot `name`, meant for /proc, that is not all of a procfs. */
export function refuseFalseProc(doing: string, name: string): Step[] {
  const words = "cannot be mounted because it is not of type proc";
  const target = JSON.stringify("/proc");
  return [
    step(doing, fstatfs(slot(name)), {
      slot: `${name}.filesystem`,
      target,
      verify: { kind: "file-system", magic: PROC_SUPER_MAGIC, words },
    }),
    step(doing, statx(slot(name), "", atFlags.AT_EMPTY_PATH), {
      slot: `${name}.root`,
      target,
      verify: { kind: "inode", inode: procRootInode, words },
    }),
  ];
}
