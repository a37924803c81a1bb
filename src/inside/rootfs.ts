// The container's root: made a mount, entered with pivot_root, given its propagation and its read-only bit.

import { AT_FDCWD, atFlags, openFlags } from "../abi/file.ts";
import {
  mountAttributes,
  mountFlags,
  openTreeFlags,
  propagations,
  unmountFlags,
} from "../abi/mount.ts";
import { ignore, type Step, step } from "../program/step.ts";
import type { RootfsPropagation } from "../spec/types.ts";
import { chdir, chroot, close, fchdir, openat, statx } from "../syscall/files.ts";
import { mount, mountSetattr, moveMount, openTree, pivotRoot, umount2 } from "../syscall/mounts.ts";
import { slot } from "../syscall/value.ts";
import { makeMask } from "./covered-paths.ts";
import { rootSlot } from "./root-paths.ts";

const { AT_EMPTY_PATH, AT_RECURSIVE } = atFlags;
const { MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } = propagations;
const { O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_PATH } = openFlags;

export type RootFacts = {
  /** Absolute path of the rootfs on the host. */
  readonly path: string;
  /** What the runtime saw there, so that a swap is noticed. */
  readonly device: string;
  readonly inode: bigint;
  /** The mount point that the rootfs lies on. */
  readonly parentMount: string;
};

/**
 * Steps that make the rootfs a mount of its own in the new mount namespace and leave its descriptor in slot `root`.
 * Run by init.
 *
 * Spec: config-linux.md#rootfs-mount-propagation.
 */
export function prepareRoot(
  root: RootFacts,
  options: {
    readonly propagation: RootfsPropagation | undefined;
    /** There are paths to mask. */
    readonly masks: boolean;
    /** `linux.mountLabel`; empty where there is none. */
    readonly label: string;
  },
): Step[] {
  const { propagation, masks, label } = options;
  const type = propagationType(propagation ?? "rslave");
  // What is unbindable cannot be cloned either: until the root is entered, private has to do.
  const above = type === MS_UNBINDABLE ? MS_PRIVATE : type;
  const opening = "opening the rootfs";
  return [
    // What keeps mounts from spreading is for all of them; what lets them spread for no more than is asked for.
    step(
      "setting the propagation of the host's mounts",
      mountSetattr(AT_FDCWD, "/", {
        flags: above === MS_SHARED && propagation === "shared" ? 0 : AT_RECURSIVE,
        propagation: above,
      }),
    ),
    // pivot_root refuses a new root on a shared mount, and what is mounted on one would show on the host.
    ...(type === MS_SHARED
      ? [
          step(
            "making the mount below the rootfs private",
            mountSetattr(AT_FDCWD, root.parentMount, { flags: 0, propagation: MS_PRIVATE }),
          ),
        ]
      : []),
    step(
      opening,
      openat(AT_FDCWD, root.path, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC }),
      { slot: "rootfs" },
    ),
    step(opening, statx(slot("rootfs"), "", AT_EMPTY_PATH), {
      slot: "rootfs.stat",
      verify: { kind: "same-file", device: root.device, inode: root.inode },
    }),
    step(
      "making the rootfs a mount",
      openTree(slot("rootfs"), "", AT_EMPTY_PATH | AT_RECURSIVE | cloneFlags),
      { slot: rootSlot },
    ),
    ...(masks ? makeMask("rootfs", label) : []),
    step("making the rootfs a mount", moveMount(slot(rootSlot), slot("rootfs"))),
    step(opening, close(slot("rootfs"))),
  ];
}

const cloneFlags = openTreeFlags.OPEN_TREE_CLONE | openTreeFlags.OPEN_TREE_CLOEXEC;

function propagationType(propagation: RootfsPropagation): number {
  switch (propagation) {
    case "shared":
    case "rshared":
      return MS_SHARED;
    case "slave":
    case "rslave":
      return MS_SLAVE;
    case "private":
    case "rprivate":
      return MS_PRIVATE;
    case "unbindable":
    case "runbindable":
      return MS_UNBINDABLE;
  }
}

/** Steps that make the rootfs the root, the host's tree gone. Run by init, everything mounted. */
export function pivotToRoot(): Step[] {
  const doing = "pivoting to the rootfs";
  const oldRoot = "rootfs.old";
  return [
    step(doing, openat(AT_FDCWD, "/", { flags: O_PATH | O_DIRECTORY | O_CLOEXEC }), {
      slot: oldRoot,
    }),
    step(doing, fchdir(slot(rootSlot))),
    // Both paths are the same: the old root ends up on top of the new one and is then taken off (pivot_root(2), NOTES).
    step(doing, pivotRoot(".", ".")),
    // So that taking it off does not spread: by descriptor, for "." is the new root to all but umount2.
    step(
      doing,
      mountSetattr(slot(oldRoot), "", {
        flags: AT_EMPTY_PATH | AT_RECURSIVE,
        propagation: MS_SLAVE,
      }),
    ),
    step(doing, close(slot(oldRoot))),
    step(doing, umount2(".", unmountFlags.MNT_DETACH)),
    step(doing, chdir("/")),
  ];
}

/**
 * The way of `--no-pivot`, for a root on an initramfs: the rootfs is moved over `/`. What lies below stays in the mount namespace,
 * and a whole proc or sysfs there would give whoever makes a user namespace the right to mount another one, with nothing masked.
 *
 * @param wholeMounts where there are such on the host
 */
export function moveToRoot(wholeMounts: readonly string[]): Step[] {
  const doing = "moving the rootfs over the root";
  return [
    ...wholeMounts.map(hideMount).flat(),
    step(doing, fchdir(slot(rootSlot))),
    step(doing, mount(".", "/", { flags: mountFlags.MS_MOVE })),
    step(doing, chroot(".")),
    step(doing, chdir("/")),
  ];
}

/** Takes a mount away, or lays an empty file system over it where it is locked. */
function hideMount(path: string): Step[] {
  const doing = `hiding the host's ${path}`;
  const { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } = mountFlags;
  const flags = MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV;
  return [
    // It must not go on the host as well.
    step(doing, mountSetattr(AT_FDCWD, path, { flags: AT_RECURSIVE, propagation: MS_SLAVE }), {
      // It may have been below one that is gone.
      recovery: ignore("ENOENT"),
      onSuccess: [
        step(doing, umount2(path, unmountFlags.MNT_DETACH), {
          recovery: {
            errnos: ["EINVAL", "EPERM"],
            steps: [step(doing, mount("tmpfs", path, { type: "tmpfs", flags }))],
            next: "skip",
          },
        }),
      ],
    }),
  ];
}

/** Without a mount namespace there is nothing to pivot: only a chroot. */
export function chrootToRoot(root: RootFacts): Step[] {
  const doing = "changing the root to the rootfs";
  return [
    step(
      doing,
      openat(AT_FDCWD, root.path, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC }),
      { slot: rootSlot },
    ),
    step(doing, statx(slot(rootSlot), "", AT_EMPTY_PATH), {
      slot: "rootfs.stat",
      verify: { kind: "same-file", device: root.device, inode: root.inode },
    }),
    ...enterOpenedRoot(),
  ];
}

/** Opens a directory as the container's root: `/` of the mount namespace just joined, or another process's. Run by exec's stub. */
export function openRoot(path: string): Step[] {
  const how = { flags: O_PATH | O_DIRECTORY | O_CLOEXEC };
  return [step("opening the container's root", openat(AT_FDCWD, path, how), { slot: rootSlot })];
}

/** Steps that change the root to the directory in slot `root`. */
export function enterOpenedRoot(): Step[] {
  const doing = "changing the root to the rootfs";
  return [step(doing, fchdir(slot(rootSlot))), step(doing, chroot(".")), step(doing, chdir("/"))];
}

/** Steps for what the root gets once it is entered: its own propagation, and read-only. */
export function finishRoot(options: {
  readonly propagation: RootfsPropagation | undefined;
  readonly readonly: boolean;
}): Step[] {
  const steps: Step[] = [];
  const type = propagationType(options.propagation ?? "rslave");
  // Slave and private were given to the whole tree before, and the root has inherited them.
  if (options.propagation !== undefined && (type === MS_SHARED || type === MS_UNBINDABLE)) {
    const flags = options.propagation.startsWith("r") ? AT_RECURSIVE : 0;
    steps.push(
      step(
        "setting the propagation of the root",
        mountSetattr(AT_FDCWD, "/", { flags, propagation: type }),
      ),
    );
  }
  if (options.readonly) {
    const set = mountAttributes.MOUNT_ATTR_RDONLY;
    steps.push(
      step(
        "making the rootfs read-only",
        mountSetattr(slot(rootSlot), "", { flags: AT_EMPTY_PATH, set }),
      ),
    );
  }
  return steps;
}
