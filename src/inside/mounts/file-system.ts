// Mounts of a new file system: proc, sysfs, tmpfs, devpts, mqueue, overlay and whatever else the kernel has.

import { atFlags, openFlags } from "../../abi/file.ts";
import { mountAttributes } from "../../abi/mount.ts";
import { statxBuffer } from "../../abi/struct.ts";
import { present } from "../../base/assert.ts";
import { ignore, type Step, step } from "../../program/step.ts";
import type { Mount } from "../../spec/types.ts";
import { close, openat, statx } from "../../syscall/files.ts";
import {
  fsconfigCreate,
  fsconfigFlag,
  fsconfigString,
  fsmount,
  fsopen,
  mountSetattr,
} from "../../syscall/mounts.ts";
import { call, fdOperand, slot } from "../../syscall/value.ts";
import { openInRoot } from "../root-paths.ts";
import type { MountOptions } from "./options.ts";

const { AT_EMPTY_PATH, AT_RECURSIVE } = atFlags;

/** Steps that leave the detached new mount in slot `name`. */
export function newFileSystemSteps(entry: {
  readonly doing: string;
  readonly name: string;
  readonly mount: Mount;
  readonly options: MountOptions;
}): Step[] {
  const { doing, name, mount, options } = entry;
  const type = mount.type ?? "";
  const context = slot(`${name}.context`);
  const { set } = options.attributes;
  // A tmpfs stays writable until the mount points inside it have been made (finishMount).
  const late = type === "tmpfs";
  const attributes = late ? set & ~mountAttributes.MOUNT_ATTR_RDONLY : set;
  const readonly = !late && (set & mountAttributes.MOUNT_ATTR_RDONLY) !== 0;
  const keepsMode = type === "tmpfs" && !options.data.some((item) => item.startsWith("mode="));
  return [
    step(doing, fsopen(type), { slot: context.value }),
    step(doing, fsconfigString(context, "source", mount.source ?? "")),
    ...(readonly ? [step(doing, fsconfigFlag(context, "ro"))] : []),
    // Flags of mount(2), which takes them for every file system, whether it knows what they mean or not.
    ...options.superblock.map((flag) =>
      step(doing, fsconfigFlag(context, flag), { recovery: ignore("EINVAL") }),
    ),
    ...options.data
      .filter((item) => item !== "")
      .map((item) => dataStep(doing, context.value, item)),
    step(doing, fsconfigCreate(context)),
    step(doing, fsmount(context, attributes), { slot: name }),
    step(doing, close(context)),
    ...(keepsMode ? keepMode(doing, { name, destination: mount.destination }) : []),
    ...recursiveChange(doing, name, options),
  ];
}

/** One item of the data: `key=value`, or a flag. */
function dataStep(doing: string, context: string, item: string): Step {
  const at = item.indexOf("=");
  return at === -1
    ? step(doing, fsconfigFlag(slot(context), item))
    : step(doing, fsconfigString(slot(context), item.slice(0, at), item.slice(at + 1)));
}

/** A tmpfs without `mode=` gets the mode of the directory it covers, as with runc; 1777 where there was none. */
function keepMode(
  doing: string,
  mount: { readonly name: string; readonly destination: string },
): Step[] {
  const covered = `${mount.name}.covered`;
  const mode = `${mount.name}.mode`;
  const inside = `${mount.name}.inside`;
  const modeOffset = present(statxBuffer.fields["stx_mode"], "stx_mode").offset;
  return [
    openInRoot(doing, mount.destination, {
      slot: covered,
      recovery: ignore("ENOENT"),
      onSuccess: [
        step(doing, statx(slot(covered), "", AT_EMPTY_PATH), { slot: mode }),
        step(doing, openat(slot(mount.name), ".", { flags: openFlags.O_CLOEXEC }), {
          slot: inside,
        }),
        // fchmod takes 16 bits of its operand: the mode, and not what follows it in the structure.
        step(doing, call("fchmod", fdOperand(slot(inside)), slot(mode, modeOffset))),
        step(doing, close(slot(inside))),
        step(doing, close(slot(covered))),
      ],
    }),
  ];
}

function recursiveChange(doing: string, name: string, options: MountOptions): Step[] {
  const { set, clear } = options.recursiveAttributes;
  if (set === 0 && clear === 0) return [];
  const flags = AT_EMPTY_PATH | AT_RECURSIVE;
  return [step(doing, mountSetattr(slot(name), "", { flags, set, clear }))];
}
