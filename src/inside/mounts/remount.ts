// The entry that mounts nothing: `remount` changes the mount that is at its destination, as mount(2) does with MS_REMOUNT.

import { atFlags } from "../../abi/file.ts";
import { mountAttributes } from "../../abi/mount.ts";
import { type Step, step } from "../../program/step.ts";
import { close } from "../../syscall/files.ts";
import {
  fsconfigFlag,
  fsconfigReconfigure,
  fsconfigString,
  fspick,
  mountSetattr,
} from "../../syscall/mounts.ts";
import { slot } from "../../syscall/value.ts";
import { openInRoot } from "../root-paths.ts";
import { changePropagation } from "./attach.ts";
import { changeAttributes } from "./bind.ts";
import type { MountOptions } from "./options.ts";

const {
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOSYMFOLLOW,
} = mountAttributes;

/**
 * Steps that change the mount at `destination`: with `bind` its own flags alone, without it its file system's settings, too.
 * Run by init. EINVAL: there is no mount.
 *
 * The mount gets the flags that are named and no others; times of access stay as they are unless one is named. What the
 * kernel has locked stays, unless it was to be cleared by name: EPERM then.
 *
 * @param entry.late it becomes read-only later, through its descriptor in slot `name`
 */
export function remountSteps(entry: {
  readonly doing: string;
  readonly name: string;
  readonly destination: string;
  readonly options: MountOptions;
  readonly late: boolean;
}): Step[] {
  const { doing, name, destination, options, late } = entry;
  const { attributes } = options;
  const set = late ? attributes.set & ~MOUNT_ATTR_RDONLY : attributes.set;
  const flags = atFlags.AT_EMPTY_PATH;
  const change = { set, clear: attributes.clear };
  return [
    openInRoot(doing, destination, { slot: name }),
    ...(options.bind ? [] : reconfigure(entry)),
    step(doing, mountSetattr(slot(name), "", { flags, set, clear: everythingElse(options) }), {
      recovery: {
        errnos: ["EPERM"],
        steps: changeAttributes(doing, slot(name), {
          attributes: change,
          recursiveAttributes: none,
        }),
        next: "skip",
      },
    }),
    ...changeAttributes(doing, slot(name), {
      attributes: none,
      recursiveAttributes: options.recursiveAttributes,
    }),
    ...changePropagation(doing, name, options.propagations),
    ...(late ? [] : [step(doing, close(slot(name)))]),
  ];
}

const none = { set: 0, clear: 0 };

/** All flags, so that those to be set are set alone; of the times of access only what is named. */
function everythingElse({ attributes: { set, clear } }: MountOptions): number {
  const { MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME } = mountAttributes;
  const times = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
  const named = MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME | MOUNT_ATTR_NODIRATIME;
  const others =
    MOUNT_ATTR_RDONLY |
    MOUNT_ATTR_NOSUID |
    MOUNT_ATTR_NODEV |
    MOUNT_ATTR_NOEXEC |
    MOUNT_ATTR_NOSYMFOLLOW;
  return others | ((set & named) !== 0 || (clear & times) !== 0 ? times : 0);
}

/** The settings of the file system: read-only or not, its flags, its data. */
function reconfigure(entry: Parameters<typeof remountSteps>[0]): Step[] {
  const { doing, name, options, late } = entry;
  const context = slot(`${name}.context`);
  const readonly = !late && (options.attributes.set & MOUNT_ATTR_RDONLY) !== 0;
  return [
    step(doing, fspick(slot(name)), { slot: context.value }),
    step(doing, fsconfigFlag(context, readonly ? "ro" : "rw")),
    ...options.superblock.map((flag) => step(doing, fsconfigFlag(context, flag))),
    ...options.data
      .filter((item) => item !== "")
      .map((item) => {
        const at = item.indexOf("=");
        return at === -1
          ? step(doing, fsconfigFlag(context, item))
          : step(doing, fsconfigString(context, item.slice(0, at), item.slice(at + 1)));
      }),
    step(doing, fsconfigReconfigure(context)),
    step(doing, close(context)),
  ];
}
