// maskedPaths and readonlyPaths: what of proc and sys a container may not see, or not change.

import { atFlags } from "../abi/file.ts";
import { mountAttributes, openTreeFlags } from "../abi/mount.ts";
import { ignore, type Step, step } from "../program/step.ts";
import { close } from "../syscall/files.ts";
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

/** The empty directory that masks directories. */
const maskSlot = "mask";

/**
 * Steps that make the empty, read-only tmpfs for masking directories, and attach it to the directory of the rootfs,
 * whose descriptor is in slot `on`: below the root, which is mounted over it next, so that nobody will see it. Only an
 * attached mount can be cloned by older kernels, and one instance serves for all. Run by init.
 *
 * @param label `linux.mountLabel`; empty where there is none
 */
export function makeMask(on: string, label: string): Step[] {
  const doing = "making the mask for directories";
  const context = slot("mask.context");
  return [
    step(doing, fsopen("tmpfs"), { slot: context.value }),
    step(doing, fsconfigString(context, "source", "tmpfs")),
    step(doing, fsconfigFlag(context, "ro")),
    // The smallest that there is: one inode, one block.
    step(doing, fsconfigString(context, "nr_inodes", "1")),
    step(doing, fsconfigString(context, "nr_blocks", "1")),
    ...(label === "" ? [] : [step(doing, fsconfigString(context, "context", label))]),
    step(doing, fsconfigCreate(context)),
    step(doing, fsmount(context, mountAttributes.MOUNT_ATTR_RDONLY), { slot: maskSlot }),
    step(doing, moveMount(slot(maskSlot), slot(on))),
    step(doing, close(context)),
  ];
}

/**
 * Steps that cover each path: a directory by the mask, everything else by the container's /dev/null, whose number is
 * verified (CVE-2025-31133). Paths that do not exist are passed over. Run by init, everything mounted.
 *
 * Spec: config-linux.md#masked-paths: the runtime masks the paths so that they cannot be read.
 */
export function planMaskedPaths(paths: readonly string[]): Step[] {
  if (paths.length === 0) return [];
  return [
    ...openNull(),
    ...paths.map((path, index) => mask(path, `masked${index}`)),
    step("masking paths", close(slot(nullSlot))),
    step("masking paths", close(slot(maskSlot))),
  ];
}

function mask(path: string, target: string): Step {
  const doing = `masking ${path}`;
  const cover = `${target}.cover`;
  const file = `${target}.file`;
  return openInRoot(doing, path, {
    slot: target,
    recovery: ignore("ENOENT", "ENOTDIR"),
    onSuccess: [
      step(doing, openTree(slot(maskSlot), "", clone | AT_EMPTY_PATH), { slot: cover }),
      step(doing, moveMount(slot(cover), slot(target)), {
        // A directory cannot be mounted on anything else.
        recovery: {
          errnos: ["EINVAL"],
          steps: [
            step(doing, openTree(slot(nullSlot), "", clone | AT_EMPTY_PATH), { slot: file }),
            step(doing, moveMount(slot(file), slot(target))),
            step(doing, close(slot(file))),
          ],
          next: "skip",
        },
      }),
      step(doing, close(slot(cover))),
      step(doing, close(slot(target))),
    ],
  });
}

/**
 * Steps that bind each path onto itself, read-only with everything below it; other attributes stay. Missing paths are
 * passed over. Run by init, everything mounted.
 *
 * Spec: config-linux.md#readonly-paths.
 */
export function planReadonlyPaths(paths: readonly string[]): Step[] {
  return paths
    .map((path, index) => {
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
    })
    .flat();
}
