// New file systems whose data is too long for fsconfig(2), an overlay of many layers for instance: by mount(2), which takes a page.

import { mountAttributes, mountFlags } from "../../abi/mount.ts";
import { type Step, step } from "../../program/step.ts";
import type { Mount } from "../../spec/types.ts";
import { close, dup3 } from "../../syscall/files.ts";
import { mount as mountCall } from "../../syscall/mounts.ts";
import { slot } from "../../syscall/value.ts";
import { openInRoot, openTarget } from "../root-paths.ts";
import { changePropagation } from "./attach.ts";
import type { MountOptions } from "./options.ts";
import { refuseInsideProc } from "./proc-guard.ts";

/** fsconfig(2) takes values of at most this many bytes. */
const fsconfigValueMaxBytes = 255;

/** Whether a value of the data is longer than fsconfig(2) takes. */
export function hasLongData({ data }: MountOptions): boolean {
  return data.some(
    (item) =>
      // UTF-8 has at most three bytes for a unit: hardly any item has to be encoded to know.
      3 * item.length > fsconfigValueMaxBytes &&
      new TextEncoder().encode(item).byteLength > fsconfigValueMaxBytes,
  );
}

/**
 * Steps that mount and attach at once. mount(2) wants a path: that of a descriptor in the host's proc, which is still in
 * sight, so that what is mounted on is the very directory that was found in the rootfs.
 */
export function longDataSteps(entry: {
  readonly doing: string;
  readonly name: string;
  readonly mount: Mount;
  readonly options: MountOptions;
  /** Number of the descriptor that the path names. */
  readonly relayFd: number;
  /** The mount becomes read-only later, through its descriptor in slot `name`. */
  readonly stays: boolean;
  /** Refuses a place in a procfs. */
  readonly guarded: boolean;
}): Step[] {
  const { doing, name, mount, options, relayFd, stays, guarded } = entry;
  const target = `${name}.target`;
  return [
    openTarget(doing, mount.destination, { slot: target, kind: "directory" }),
    ...(guarded ? refuseInsideProc(doing, target, mount.destination) : []),
    step(doing, dup3(slot(target), relayFd)),
    step(
      doing,
      mountCall(mount.source ?? mount.type ?? "", `/proc/self/fd/${relayFd}`, {
        type: mount.type ?? "",
        flags: oldFlags(options) & (stays ? ~mountFlags.MS_RDONLY : -1),
        data: options.data.join(","),
      }),
    ),
    step(doing, close(relayFd)),
    step(doing, close(slot(target))),
    ...(options.propagations.length === 0 && !stays
      ? []
      : [
          // What was opened before lies below the mount.
          openInRoot(doing, mount.destination, { slot: name }),
          ...changePropagation(doing, name, options.propagations),
          ...(stays ? [] : [step(doing, close(slot(name)))]),
        ]),
  ];
}

/** Mount attributes and the flags of mount(2) that mean the same. */
const oldNames: readonly (readonly [attribute: number, flag: number])[] = [
  [mountAttributes.MOUNT_ATTR_RDONLY, mountFlags.MS_RDONLY],
  [mountAttributes.MOUNT_ATTR_NOSUID, mountFlags.MS_NOSUID],
  [mountAttributes.MOUNT_ATTR_NODEV, mountFlags.MS_NODEV],
  [mountAttributes.MOUNT_ATTR_NOEXEC, mountFlags.MS_NOEXEC],
  [mountAttributes.MOUNT_ATTR_NOATIME, mountFlags.MS_NOATIME],
  [mountAttributes.MOUNT_ATTR_STRICTATIME, mountFlags.MS_STRICTATIME],
  [mountAttributes.MOUNT_ATTR_NODIRATIME, mountFlags.MS_NODIRATIME],
  [mountAttributes.MOUNT_ATTR_NOSYMFOLLOW, mountFlags.MS_NOSYMFOLLOW],
];

/** Flags of the superblock by the names that fsconfig(2) has for them. */
const superblockFlags: Readonly<Record<string, number>> = {
  sync: mountFlags.MS_SYNCHRONOUS,
  dirsync: mountFlags.MS_DIRSYNC,
  mand: mountFlags.MS_MANDLOCK,
  lazytime: mountFlags.MS_LAZYTIME,
  iversion: mountFlags.MS_I_VERSION,
  silent: mountFlags.MS_SILENT,
};

function oldFlags({ attributes, superblock }: MountOptions): number {
  let flags = 0;
  for (const [attribute, flag] of oldNames) if ((attributes.set & attribute) !== 0) flags |= flag;
  for (const name of superblock) flags |= superblockFlags[name] ?? 0;
  return flags;
}
