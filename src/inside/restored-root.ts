// The root that CRIU restores a container onto: made a mount in a mount namespace which only CRIU has, so that nothing of it
// shows on the host and nothing is left of it when CRIU ends. The stub makes it and then becomes CRIU.

import { AT_FDCWD, atFlags, openFlags } from "../abi/file.ts";
import { openTreeFlags, propagations, unmountFlags } from "../abi/mount.ts";
import { socketTypes } from "../abi/socket.ts";
import { pathNames } from "../base/path.ts";
import { type Step, step } from "../program/step.ts";
import type { Mount } from "../spec/types.ts";
import { close, dup3, openat, readlinkat, statx } from "../syscall/files.ts";
import { mountSetattr, moveMount, openTree, umount2 } from "../syscall/mounts.ts";
import { unshare } from "../syscall/processes.ts";
import { socketpair } from "../syscall/sockets.ts";
import { slot } from "../syscall/value.ts";
import { mountDoing } from "./mounts/attach.ts";
import { absoluteSource, isBind, mountEntries } from "./mounts/mount.ts";
import { namespaceFlags } from "./namespaces.ts";
import { openTarget, rootSlot } from "./root-paths.ts";
import type { RootFacts } from "./rootfs.ts";

const { AT_EMPTY_PATH, AT_RECURSIVE } = atFlags;
const { O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_PATH } = openFlags;
const { SOCK_CLOEXEC, SOCK_SEQPACKET } = socketTypes;
const clone = openTreeFlags.OPEN_TREE_CLONE | openTreeFlags.OPEN_TREE_CLOEXEC;
const doing = "making the root to restore the container onto";

export type RestoredRoot = {
  readonly root: RootFacts;
  /** An empty directory of ours that the rootfs is mounted on. */
  readonly place: string;
  readonly mounts: readonly Mount[];
  readonly bundle: string;
  /** A descriptor number that is free. */
  readonly relayFd: number;
};

/**
 * Steps that make the root, with the mount points that the container's mounts need. Binds are mounted meanwhile, since
 * mount points of later entries may lie in them, and the rootfs is mounted anew at the end, without them.
 */
export function makeRestoredRoot(facts: RestoredRoot): Step[] {
  const { root, place, mounts } = facts;
  const onTmpfs = mounts
    .filter(({ type }) => type === "tmpfs")
    .map(({ destination }) => plainPath(destination));
  const entries = mountEntries(mounts).filter(
    ({ mount: { type, destination } }) =>
      type !== "cgroup" &&
      type !== "cgroup2" &&
      // CRIU brings back what is in a tmpfs.
      !onTmpfs.some((path) => plainPath(destination).startsWith(`${path}/`)),
  );
  return [
    step(doing, unshare(namespaceFlags.mount)),
    step(
      "keeping mounts from spreading to the host",
      mountSetattr(AT_FDCWD, "/", { flags: AT_RECURSIVE, propagation: propagations.MS_SLAVE }),
    ),
    step(
      doing,
      openat(AT_FDCWD, root.path, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC }),
      { slot: "rootfs" },
    ),
    step(doing, statx(slot("rootfs"), "", AT_EMPTY_PATH), {
      slot: "rootfs.stat",
      verify: { kind: "same-file", device: root.device, inode: root.inode },
    }),
    ...mountRoot(place, rootSlot),
    ...entries
      .map(({ mount, index, options }) =>
        isBind({ mount, options })
          ? bindForNow(mount, { index, bundle: facts.bundle, relayFd: facts.relayFd })
          : mountPoint(mount, index),
      )
      .flat(),
    step(doing, close(slot(rootSlot))),
    step(doing, umount2(place, unmountFlags.MNT_DETACH)),
    ...mountRoot(place, "cleanRoot"),
    step(doing, close(slot("cleanRoot"))),
    step(doing, close(slot("rootfs"))),
  ];
}

function mountRoot(place: string, name: string): Step[] {
  const flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const target = `${name}.place`;
  return [
    step(doing, openTree(slot("rootfs"), "", AT_EMPTY_PATH | AT_RECURSIVE | clone), { slot: name }),
    step(doing, openat(AT_FDCWD, place, { flags }), { slot: target }),
    step(doing, moveMount(slot(name), slot(target))),
    step(doing, close(slot(target))),
  ];
}

function mountPoint(mount: Mount, index: number): Step[] {
  const name = `mount${index}`;
  const making = mountDoing(mount);
  return [
    openTarget(making, mount.destination, { slot: name, kind: "directory" }),
    step(making, close(slot(name))),
  ];
}

function bindForNow(
  mount: Mount,
  options: { readonly index: number; readonly bundle: string; readonly relayFd: number },
): Step[] {
  const { index, bundle, relayFd } = options;
  const name = `mount${index}`;
  const target = `${name}.target`;
  const making = mountDoing(mount);
  const source = absoluteSource(mount.source ?? "", bundle);
  return [
    step(making, openTree(AT_FDCWD, source, clone | AT_RECURSIVE), { slot: name }),
    openTarget(making, mount.destination, { slot: target, kind: { like: name } }),
    step(making, dup3(slot(target), relayFd, O_CLOEXEC)),
    step(making, readlinkat(AT_FDCWD, `/proc/self/fd/${relayFd}`, 4096), {
      slot: pathSlot(index),
    }),
    step(making, moveMount(slot(name), slot(target))),
    step(making, close(slot(target))),
    step(making, close(slot(name))),
  ];
}

/** A directory of CRIU, and the descriptor that it gets it as. */
export type CriuDirectory = { readonly path: string; readonly fd: number };

/** Slot of the two ends of the socket, of which the runtime fetches the first. */
export const socketsSlot = "sockets";

/**
 * Steps that open the directories of CRIU, and make the socket to talk to it. CRIU looks for descriptors in the process that
 * has made its socket, and mounts beside what it writes: both have to be its own, in its own mount namespace.
 */
export function openForCriu(directories: readonly CriuDirectory[]): Step[] {
  const opening = "opening the directories of criu";
  return [
    ...directories
      .map(({ path, fd }) => [
        step(opening, openat(AT_FDCWD, path, { flags: O_DIRECTORY | O_CLOEXEC }), {
          slot: `directory${fd}`,
        }),
        step(opening, dup3(slot(`directory${fd}`), fd)),
        step(opening, close(slot(`directory${fd}`))),
      ])
      .flat(),
    step("making the socket of criu", socketpair(SOCK_SEQPACKET | SOCK_CLOEXEC), {
      slot: socketsSlot,
    }),
  ];
}

/** Slot of the path at which the bind of this number has been mounted, below the place of the root. */
export function pathSlot(index: number): string {
  return `mount${index}.path`;
}

function plainPath(path: string): string {
  return `/${pathNames(path).join("/")}`;
}
