// The options of a mount entry, sorted into what the kernel takes where: attributes, superblock flags, propagation, data.

import { mountAttributes, propagations } from "../../abi/mount.ts";
import { ownMember } from "../../base/own-member.ts";
import { isIdmapOption } from "../../spec/idmap.ts";

const {
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_STRICTATIME,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOSYMFOLLOW,
} = mountAttributes;
const { MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE } = propagations;

/** Bits to set and to clear, as mount_setattr(2) takes them: a bit to be changed to a choice of several is in both. */
export type AttributeChange = { readonly set: number; readonly clear: number };

export type Propagation = { readonly type: number; readonly recursive: boolean };

export type MountOptions = {
  readonly bind: boolean;
  /** The bind takes the mounts below the source along. */
  readonly recursiveBind: boolean;
  readonly attributes: AttributeChange;
  readonly recursiveAttributes: AttributeChange;
  /** Flags of the superblock, as fsconfig(2) names them. */
  readonly superblock: readonly string[];
  /** Nothing is mounted: the mount that is there changes. */
  readonly remount: boolean;
  /** crun's options: a symbolic link as source, or as destination, is not followed. */
  readonly sourceNofollow: boolean;
  readonly destinationNofollow: boolean;
  /** A tmpfs begins with what it covers. */
  readonly copyUp: boolean;
  /** Propagation changes in the order given, made after the mount. */
  readonly propagations: readonly Propagation[];
  /** Everything else, for the file system: `mode=755`, `size=64k`. */
  readonly data: readonly string[];
};

const none: AttributeChange = { set: 0, clear: 0 };
const set = (bit: number): AttributeChange => ({ set: bit, clear: 0 });
const clear = (bit: number): AttributeChange => ({ set: 0, clear: bit });
/** The choices of atime exclude each other: each clears the whole field first. */
const atime = (choice: number): AttributeChange => ({ set: choice, clear: MOUNT_ATTR__ATIME });

// Spec: config-linux.md#mount-options: every option of the table MUST be recognised.
const attributeOptions: Readonly<Record<string, AttributeChange>> = {
  defaults: none,
  ro: set(MOUNT_ATTR_RDONLY),
  rw: clear(MOUNT_ATTR_RDONLY),
  nosuid: set(MOUNT_ATTR_NOSUID),
  suid: clear(MOUNT_ATTR_NOSUID),
  nodev: set(MOUNT_ATTR_NODEV),
  dev: clear(MOUNT_ATTR_NODEV),
  noexec: set(MOUNT_ATTR_NOEXEC),
  exec: clear(MOUNT_ATTR_NOEXEC),
  noatime: atime(MOUNT_ATTR_NOATIME),
  // Without noatime and strictatime the kernel falls back to relatime, which is 0 in the field.
  atime: atime(0),
  relatime: atime(0),
  norelatime: none,
  strictatime: atime(MOUNT_ATTR_STRICTATIME),
  nostrictatime: atime(0),
  nodiratime: set(MOUNT_ATTR_NODIRATIME),
  diratime: clear(MOUNT_ATTR_NODIRATIME),
  nosymfollow: set(MOUNT_ATTR_NOSYMFOLLOW),
  symfollow: clear(MOUNT_ATTR_NOSYMFOLLOW),
};

/** The recursive forms are the same names with an `r` in front, but for `defaults`, which has none. */
function recursiveOption(option: string): AttributeChange | undefined {
  return option.startsWith("r") && option !== "rdefaults"
    ? ownMember(attributeOptions, option.slice(1))
    : undefined;
}

/** Flags of the superblock: whether the option turns the flag on, and the flag's name for fsconfig(2). */
const superblockOptions: Readonly<Record<string, readonly [flag: string, on: boolean]>> = {
  sync: ["sync", true],
  async: ["sync", false],
  dirsync: ["dirsync", true],
  mand: ["mand", true],
  nomand: ["mand", false],
  lazytime: ["lazytime", true],
  nolazytime: ["lazytime", false],
  iversion: ["iversion", true],
  noiversion: ["iversion", false],
  silent: ["silent", true],
  loud: ["silent", false],
};

const propagationOptions: Readonly<Record<string, Propagation>> = {
  shared: { type: MS_SHARED, recursive: false },
  rshared: { type: MS_SHARED, recursive: true },
  slave: { type: MS_SLAVE, recursive: false },
  rslave: { type: MS_SLAVE, recursive: true },
  private: { type: MS_PRIVATE, recursive: false },
  rprivate: { type: MS_PRIVATE, recursive: true },
  unbindable: { type: MS_UNBINDABLE, recursive: false },
  runbindable: { type: MS_UNBINDABLE, recursive: true },
};

/** Every option that is not data for the file system, for `features`. */
export function knownMountOptions(): readonly string[] {
  const attributes = Object.keys(attributeOptions);
  return [
    ...attributes,
    ...attributes.filter((name) => name !== "defaults").map((name) => `r${name}`),
    ...Object.keys(superblockOptions),
    ...Object.keys(propagationOptions),
    "bind",
    "rbind",
    "remount",
    "tmpcopyup",
    "src-nofollow",
    "dest-nofollow",
    // Read by host/copied-links.ts.
    "copy-symlink",
    // Read by spec/idmap.ts.
    "idmap",
    "ridmap",
  ].sort();
}

/** Sorts the options of one mount entry; of options that contradict each other the last one counts, as with mount(8). */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let bind = false;
  let recursiveBind = false;
  let copyUp = false;
  let remount = false;
  let sourceNofollow = false;
  let destinationNofollow = false;
  let attributes = none;
  let recursiveAttributes = none;
  const superblock = new Set<string>();
  const propagations: Propagation[] = [];
  const data: string[] = [];
  for (const option of options) {
    const attribute = ownMember(attributeOptions, option);
    const recursive = recursiveOption(option);
    const flag = ownMember(superblockOptions, option);
    const propagation = ownMember(propagationOptions, option);
    if (attribute !== undefined) attributes = combine(attributes, attribute);
    else if (recursive !== undefined) recursiveAttributes = combine(recursiveAttributes, recursive);
    else if (propagation !== undefined) propagations.push(propagation);
    else if (flag !== undefined) flag[1] ? superblock.add(flag[0]) : superblock.delete(flag[0]);
    else if (option === "bind") bind = true;
    else if (option === "rbind") {
      bind = true;
      recursiveBind = true;
    } else if (option === "tmpcopyup") copyUp = true;
    else if (option === "remount") remount = true;
    else if (option === "src-nofollow") sourceNofollow = true;
    else if (option === "dest-nofollow") destinationNofollow = true;
    else if (option !== "copy-symlink" && !isIdmapOption(option)) data.push(option);
  }
  return {
    bind,
    recursiveBind,
    attributes,
    recursiveAttributes,
    superblock: [...superblock],
    copyUp,
    remount,
    sourceNofollow,
    destinationNofollow,
    propagations,
    data,
  };
}

/** A later change wins over an earlier one, bit by bit. */
function combine(earlier: AttributeChange, later: AttributeChange): AttributeChange {
  return {
    set: (earlier.set & ~later.clear) | later.set,
    clear: (earlier.clear & ~later.set) | later.clear,
  };
}
