// The directory with the socket on which the container tells that it is ready: attached in the rootfs; sd_notify(3).

import { AT_FDCWD, atFlags } from "../abi/file.ts";
import { mountAttributes, openTreeFlags } from "../abi/mount.ts";
import { type Step, step } from "../program/step.ts";
import { close } from "../syscall/files.ts";
import { mountSetattr, moveMount, openTree } from "../syscall/mounts.ts";
import { slot } from "../syscall/value.ts";
import { openTarget } from "./root-paths.ts";

/** A mount of the directory that the runtime has handed in, or the path of one that init can reach by itself. */
export type NotifyTree = { readonly fd: number } | { readonly path: string };

/** The directory is shown, and nobody can do more with it. */
export const notifyAttributes =
  mountAttributes.MOUNT_ATTR_RDONLY |
  mountAttributes.MOUNT_ATTR_NOSUID |
  mountAttributes.MOUNT_ATTR_NODEV |
  mountAttributes.MOUNT_ATTR_NOEXEC;

/**
 * Steps that attach the directory at `directory`. Run by init, after all other mounts.
 *
 * Root's is the one mount that is not opened inside: with a user namespace init may not walk through the state root. What the
 * host locks is not at stake: the directory is the runtime's own and has nothing but the socket. An ordinary user has no right to
 * a mount outside, and its init is let through.
 */
export function attachNotifyDirectory(tree: NotifyTree, directory: string): Step[] {
  const doing = `error mounting the notify socket to rootfs at "${directory}"`;
  const source = "notify directory";
  const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC } = openTreeFlags;
  const opened =
    "fd" in tree
      ? []
      : [
          step(doing, openTree(AT_FDCWD, tree.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), {
            slot: source,
          }),
          step(
            doing,
            mountSetattr(slot(source), "", { flags: atFlags.AT_EMPTY_PATH, set: notifyAttributes }),
          ),
        ];
  const fd = "fd" in tree ? tree.fd : slot(source);
  return [
    ...opened,
    openTarget(doing, directory, { slot: "notify", kind: "directory" }),
    step(doing, moveMount(fd, slot("notify"))),
    step(doing, close(slot("notify"))),
    step(doing, close(fd)),
  ];
}
