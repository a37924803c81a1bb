// The mount calls as values: the descriptor-based ones, and the few old ones that have no successor.

import {
  fsconfigCommands,
  fsmountFlags,
  fsopenFlags,
  fspickFlags,
  mountAttributes,
  mountFlags,
  moveMountFlags,
  openTreeFlags,
  propagations,
  unmountFlags,
} from "../abi/mount.ts";
import { mountAttr } from "../abi/struct.ts";
import {
  call,
  directoryOperand,
  type Fd,
  fdOperand,
  flags,
  number,
  type Syscall,
  struct,
  text,
} from "./value.ts";

export function openTree(directory: Fd, path: string, treeFlags: number): Syscall {
  return call(
    "open_tree",
    directoryOperand(directory),
    text(path),
    flags(openTreeFlags, treeFlags),
  );
}

export function fsopen(type: string): Syscall {
  return call("fsopen", text(type), flags(fsopenFlags, fsopenFlags.FSOPEN_CLOEXEC));
}

/** fsconfig(FSCONFIG_SET_STRING). */
export function fsconfigString(context: Fd, key: string, value: string): Syscall {
  return call("fsconfig", fdOperand(context), setString, text(key), text(value));
}

// The commands are numbers, not bits, and the table of one prints it by name. The aux operand that none of them needs is left out.
const setString = flags({ FSCONFIG_SET_STRING: 1 }, fsconfigCommands.FSCONFIG_SET_STRING);
const create = flags({ FSCONFIG_CMD_CREATE: 6 }, fsconfigCommands.FSCONFIG_CMD_CREATE);

/** fsconfig(FSCONFIG_SET_FLAG). */
export function fsconfigFlag(context: Fd, key: string): Syscall {
  return call(
    "fsconfig",
    fdOperand(context),
    // The command's number is 0, which a table of bits cannot name.
    number(fsconfigCommands.FSCONFIG_SET_FLAG),
    text(key),
  );
}

/** fsconfig(FSCONFIG_CMD_CREATE): makes the superblock. */
export function fsconfigCreate(context: Fd): Syscall {
  return call("fsconfig", fdOperand(context), create);
}

/** fspick(2): the settings of the file system whose mount a descriptor is. */
export function fspick(mount: Fd): Syscall {
  const { FSPICK_CLOEXEC, FSPICK_EMPTY_PATH } = fspickFlags;
  return call(
    "fspick",
    fdOperand(mount),
    emptyPath,
    flags(fspickFlags, FSPICK_CLOEXEC | FSPICK_EMPTY_PATH),
  );
}

/** fsconfig(FSCONFIG_CMD_RECONFIGURE): changes the superblock. */
export function fsconfigReconfigure(context: Fd): Syscall {
  return call(
    "fsconfig",
    fdOperand(context),
    flags({ FSCONFIG_CMD_RECONFIGURE: 7 }, fsconfigCommands.FSCONFIG_CMD_RECONFIGURE),
  );
}

/** fsmount(2) with the mount attributes of the new mount. */
export function fsmount(context: Fd, attributes: number): Syscall {
  return call(
    "fsmount",
    fdOperand(context),
    flags(fsmountFlags, fsmountFlags.FSMOUNT_CLOEXEC),
    flags(mountAttributes, attributes),
  );
}

/** move_mount(2) from one descriptor onto another, never by path. */
export function moveMount(mount: Fd, target: Fd): Syscall {
  return call(
    "move_mount",
    fdOperand(mount),
    emptyPath,
    fdOperand(target),
    emptyPath,
    betweenDescriptors,
  );
}

const emptyPath = text("");
const betweenDescriptors = flags(
  moveMountFlags,
  moveMountFlags.MOVE_MOUNT_F_EMPTY_PATH | moveMountFlags.MOVE_MOUNT_T_EMPTY_PATH,
);

const attributeFlags = { AT_EMPTY_PATH: 0x1000, AT_RECURSIVE: 0x8000 } as const;

export function mountSetattr(
  directory: Fd,
  path: string,
  change: {
    readonly flags: number;
    readonly set?: number;
    readonly clear?: number;
    readonly propagation?: number;
    readonly usernsFd?: number;
  },
): Syscall {
  return call(
    "mount_setattr",
    directoryOperand(directory),
    text(path),
    flags(attributeFlags, change.flags),
    struct(mountAttr, {
      attr_set: flags(mountAttributes, change.set ?? 0),
      attr_clr: flags(mountAttributes, change.clear ?? 0),
      propagation: flags(propagations, change.propagation ?? 0),
      userns_fd: number(change.usernsFd ?? 0),
    }),
    number(mountAttr.sizeBytes),
  );
}

/** mount(2). Paths are only ever "." or "/", or those of the runtime's own mount namespace. */
export function mount(
  source: string,
  target: string,
  options: { readonly type?: string; readonly flags: number; readonly data?: string },
): Syscall {
  return call(
    "mount",
    text(source),
    text(target),
    options.type === undefined ? number(0) : text(options.type),
    flags(mountFlags, options.flags),
    options.data === undefined ? number(0) : text(options.data),
  );
}

export function umount2(target: string, umountFlags: number): Syscall {
  return call("umount2", text(target), flags(unmountFlags, umountFlags));
}

export function pivotRoot(newRoot: string, putOld: string): Syscall {
  return call("pivot_root", text(newRoot), text(putOld));
}
