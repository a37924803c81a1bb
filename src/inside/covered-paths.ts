// maskedPaths and readonlyPaths: what of proc and sys a container may not see, or not change.

import { atFlags, openFlags } from "../abi/file.ts";
import { mountAttributes, openTreeFlags } from "../abi/mount.ts";
import { ignore, type Step, step } from "../program/step.ts";
import { close, openat } from "../syscall/files.ts";
import {
  fsconfigCreate,
  fsconfigFlag,
  fsconfigString,
  fsmount,
  fsopen,
  mountSetattr,
  moveMount,
  openTree,
} from "../syscall/mounts.ts";
import { slot } from "../syscall/value.ts";
import { nullSlot, openNull } from "./devices.ts";
import { openInRoot } from "./root-paths.ts";

const { AT_EMPTY_PATH, AT_RECURSIVE } = atFlags;
const clone = openTreeFlags.OPEN_TREE_CLONE | openTreeFlags.OPEN_TREE_CLOEXEC;

/**
 * Steps that cover each path: a directory by an empty read-only tmpfs, everything else by the container's /dev/null,
 * whose number is verified (CVE-2025-31133). Paths that do not exist are passed over. Run by init, everything mounted.
 *
 * Spec: config-linux.md#masked-paths: the runtime masks the paths so that they cannot be read.
 */
export function planMaskedPaths(paths: readonly string[]): Step[] {
  if (paths.length === 0) return [];
  return [
    ...openNull(),
    ...paths.flatMap((path, index) => mask(path, `masked${index}`)),
    step("masking paths", close(slot(nullSlot))),
  ];
}

function mask(path: string, target: string): Step[] {
  const doing = `masking ${path}`;
  const directory = `${target}.directory`;
  const file = `${target}.file`;
  return [
    openInRoot(doing, path, {
      slot: target,
      recovery: ignore("ENOENT", "ENOTDIR"),
      onSuccess: [
        step(
          doing,
          openat(slot(target), ".", {
            flags: openFlags.O_PATH | openFlags.O_DIRECTORY | openFlags.O_CLOEXEC,
          }),
          {
            slot: directory,
            onSuccess: coverDirectory(doing, { target, directory }),
            recovery: {
              errnos: ["ENOTDIR"],
              steps: [
                step(doing, openTree(slot(nullSlot), "", clone | AT_EMPTY_PATH), { slot: file }),
                step(doing, moveMount(slot(file), slot(target))),
                step(doing, close(slot(file))),
              ],
              next: "skip",
            },
          },
        ),
        step(doing, close(slot(target))),
      ],
    }),
  ];
}

function coverDirectory(
  doing: string,
  slots: { readonly target: string; readonly directory: string },
): Step[] {
  const context = `${slots.target}.context`;
  const tmpfs = `${slots.target}.tmpfs`;
  const { MOUNT_ATTR_RDONLY } = mountAttributes;
  return [
    step(doing, fsopen("tmpfs"), { slot: context }),
    step(doing, fsconfigString(slot(context), "source", "tmpfs")),
    step(doing, fsconfigFlag(slot(context), "ro")),
    // The smallest that there is: one inode, one block.
    step(doing, fsconfigString(slot(context), "nr_inodes", "1")),
    step(doing, fsconfigString(slot(context), "nr_blocks", "1")),
    step(doing, fsconfigCreate(slot(context))),
    step(doing, fsmount(slot(context), MOUNT_ATTR_RDONLY), { slot: tmpfs }),
    step(doing, moveMount(slot(tmpfs), slot(slots.target))),
    step(doing, close(slot(tmpfs))),
    step(doing, close(slot(context))),
    step(doing, close(slot(slots.directory))),
  ];
}

/**
 * Steps that bind each path onto itself, read-only with everything below it; other attributes stay. Missing paths are
 * passed over. Run by init, everything mounted.
 *
 * Spec: config-linux.md#readonly-paths.
 */
export function planReadonlyPaths(paths: readonly string[]): Step[] {
  return paths.flatMap((path, index) => {
    const doing = `making ${path} read-only`;
    const target = `readonly${index}`;
    const tree = `${target}.tree`;
    return [
      openInRoot(doing, path, {
        slot: target,
        recovery: ignore("ENOENT", "ENOTDIR"),
        onSuccess: [
          step(doing, openTree(slot(target), "", clone | AT_EMPTY_PATH | AT_RECURSIVE), {
            slot: tree,
          }),
          step(
            doing,
            mountSetattr(slot(tree), "", {
              flags: AT_EMPTY_PATH | AT_RECURSIVE,
              set: mountAttributes.MOUNT_ATTR_RDONLY,
            }),
          ),
          step(doing, moveMount(slot(tree), slot(target))),
          step(doing, close(slot(tree))),
          step(doing, close(slot(target))),
        ],
      }),
    ];
  });
}
