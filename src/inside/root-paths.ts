// Finding and making paths in the rootfs, run by init: from the root's descriptor, one openat2 or one component at a time.

import { AT_FDCWD, fileTypes, openFlags, resolveFlags } from "../abi/file.ts";
import { pathNames } from "../base/path.ts";
import { rarely, rarelyInStages, type Step, step } from "../program/step.ts";
import { close, mkdirat, mknodat, openat, openat2 } from "../syscall/files.ts";
import { type Fd, slot } from "../syscall/value.ts";
import { makeThroughLinks } from "./linked-paths.ts";

/** The container's root: the descriptor of its mount. Every path in the rootfs starts from it. */
export const rootSlot = "root";

const { O_CLOEXEC, O_DIRECTORY, O_PATH } = openFlags;
const { RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS } = resolveFlags;

/** Symbolic links stay inside the root (CVE-2019-18837), and links of proc that lead anywhere are not followed at all. */
export const inRoot = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
/** For proc and sysfs, whose place must not be a link (CVE-2019-19921, CVE-2023-27561). */
export const inRootWithoutLinks = inRoot | RESOLVE_NO_SYMLINKS;

export type OpenInRoot = Omit<Step, "doing" | "call"> & {
  readonly resolve?: number;
  readonly flags?: number;
};

/** Opens a path of the rootfs as an O_PATH descriptor, through the root's descriptor. */
export function openInRoot(doing: string, path: string, options: OpenInRoot = {}): Step {
  const { resolve = inRoot, flags = 0 } = options;
  const how = { flags: O_PATH | O_CLOEXEC | flags, resolve };
  return step(doing, openat2(slot(rootSlot), path, how), options);
}

/** What a missing mount point is made as. */
export type TargetKind =
  | "directory"
  | "file"
  /** Whatever the descriptor in this slot is: the source of a bind mount. */
  | { readonly like: string }
  /** Whatever is at this path, from the working directory. */
  | { readonly likePath: string };

/**
 * Opens a mount point in the rootfs, making it and its missing parents first if need be: directories 0755, files 0644.
 * `..` is taken out of the path by its text, as runc does. Components are made one by one relative to the descriptor of the one before (CVE-2024-45310).
 *
 * Spec: config.md#mounts: the destination is made if it does not exist.
 */
export function openTarget(
  doing: string,
  path: string,
  options: {
    readonly slot: string;
    readonly kind: TargetKind;
    readonly resolve?: number;
    /** A symbolic link is itself the mount point. */
    readonly nofollow?: boolean;
  },
): Step {
  const { kind, resolve = inRoot, nofollow = false } = options;
  const place = { path, prefix: options.slot, resolve };
  return openInRoot(doing, `/${pathNames(path).join("/")}`, {
    slot: options.slot,
    resolve,
    flags: nofollow ? openFlags.O_NOFOLLOW : 0,
    recovery: {
      errnos: ["ENOENT"],
      steps:
        typeof kind === "string"
          ? makeTarget(doing, kind, place)
          : makeTargetLike(doing, kind, place),
      next: "retry",
    },
  });
}

type Place = { readonly path: string; readonly prefix: string; readonly resolve: number };

/** Makes what the source is: a directory for a directory, a file for everything else. */
function makeTargetLike(doing: string, kind: Exclude<TargetKind, string>, place: Place): Step[] {
  const here = `${place.prefix}.source`;
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  const open =
    "like" in kind
      ? openat(slot(kind.like), ".", { flags })
      : openat(AT_FDCWD, kind.likePath, { flags });
  return [
    step(doing, open, {
      slot: here,
      onSuccess: [step(doing, close(slot(here))), ...makeTarget(doing, "directory", place)],
      recovery: {
        errnos: ["ENOTDIR"],
        steps: makeTarget(doing, "file", { ...place, prefix: `${place.prefix}.file` }),
        next: "skip",
      },
    }),
  ];
}

/** Makes the last component; its parent is nearly always there. */
function makeTarget(doing: string, kind: "directory" | "file", place: Place): Step[] {
  const path = pathNames(place.path);
  const names = path.slice(0, -1);
  const here = `${place.prefix}.parent`;
  if (names.length === 0) return [makeLast(doing, slot(rootSlot), { path, kind })];
  const parent = names.join("/");
  return [
    openInRoot(doing, parent, {
      slot: here,
      flags: O_DIRECTORY,
      resolve: place.resolve,
      recovery: rarely("ENOENT", "retry", () => makeDirectoriesInRoot(doing, names, place)),
    }),
    makeLast(doing, slot(here), { path, kind }),
    step(doing, close(slot(here))),
  ];
}

function makeLast(
  doing: string,
  parent: Fd,
  last: { readonly path: readonly string[]; readonly kind: "directory" | "file" },
): Step {
  const { path, kind } = last;
  const name = path[path.length - 1] ?? "";
  const call =
    kind === "directory"
      ? mkdirat(parent, name, 0o755)
      : mknodat(parent, name, { type: fileTypes.S_IFREG, mode: 0o644 });
  // Another container that starts on the same rootfs has made the name meanwhile, or it is a link that leads to nothing yet.
  const through = { root: slot(rootSlot), kind };
  return step(doing, call, {
    recovery: rarelyInStages("EEXIST", "skip", () => makeThroughLinks(doing, path, through)),
  });
}

/** Makes directories one below the other, each relative to the descriptor of the one before. */
function makeDirectoriesInRoot(doing: string, names: readonly string[], place: Place): Step[] {
  const steps: Step[] = [];
  let parent: Fd = slot(rootSlot);
  names.forEach((_, index) => {
    const path = names.slice(0, index + 1);
    const here = slot(`${place.prefix}.${index}`);
    steps.push(
      openInRoot(doing, path.join("/"), {
        slot: here.value,
        flags: O_DIRECTORY,
        resolve: place.resolve,
        recovery: {
          errnos: ["ENOENT"],
          steps: [makeLast(doing, parent, { path, kind: "directory" })],
          next: "retry",
        },
      }),
    );
    parent = here;
  });
  return [
    ...steps,
    ...names.map((_, index) => step(doing, close(slot(`${place.prefix}.${index}`)))),
  ];
}
