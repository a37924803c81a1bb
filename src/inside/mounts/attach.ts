// Puts a detached mount at its place in the rootfs; not how the mount came to be.

import { atFlags, openFlags } from "../../abi/file.ts";
import { type Recovery, rarely, type Step, step } from "../../program/step.ts";
import type { Mount } from "../../spec/types.ts";
import { close, openat } from "../../syscall/files.ts";
import { mountSetattr, moveMount } from "../../syscall/mounts.ts";
import { slot } from "../../syscall/value.ts";
import { openTarget, type TargetKind } from "../root-paths.ts";
import type { Propagation } from "./options.ts";
import { refuseInsideProc } from "./proc-guard.ts";

const { AT_EMPTY_PATH, AT_RECURSIVE } = atFlags;

export type Attachment = {
  readonly doing: string;
  /** The slot of the detached mount. */
  readonly name: string;
  readonly destination: string;
  /** Refuses a place in a procfs. */
  readonly guarded?: boolean;
  readonly kind: TargetKind;
  readonly propagations: readonly Propagation[];
  readonly resolve?: number;
  readonly nofollow?: boolean;
  /** What the mount gets once its place is found. */
  readonly placed?: readonly Step[];
  /** The descriptor of the mount is still needed. */
  readonly stays?: boolean;
};

/** Moves a detached mount to its place in the rootfs, descriptor to descriptor, and lets go of both, unless the mount stays. */
export function attach(attachment: Attachment): Step[] {
  const { doing, name, destination, kind, resolve } = attachment;
  const target = `${name}.target`;
  return [
    openTarget(doing, destination, {
      slot: target,
      kind,
      ...(resolve === undefined ? {} : { resolve }),
      nofollow: attachment.nofollow === true,
    }),
    ...(attachment.guarded === true ? refuseInsideProc(doing, target, destination) : []),
    ...(attachment.placed ?? []),
    step(doing, moveMount(slot(name), slot(target)), { recovery: explainMismatch(doing, name) }),
    ...changePropagation(doing, name, attachment.propagations),
    step(doing, close(slot(target))),
    ...(attachment.stays === true ? [] : [step(doing, close(slot(name)))]),
  ];
}

/** Steps that change the propagation of the mount whose descriptor is in slot `name`, in the order given. */
export function changePropagation(
  doing: string,
  name: string,
  propagations: readonly Propagation[],
): Step[] {
  return propagations.map(({ type, recursive }) =>
    step(
      `${doing}: changing its propagation`,
      mountSetattr(slot(name), "", {
        flags: AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0),
        propagation: type,
      }),
    ),
  );
}

/** runc's words, which tools look for: `error mounting "proc" to rootfs at "/proc"`. */
export function mountDoing(mount: Mount): string {
  const source = mount.source ?? mount.type ?? "";
  return `error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(mount.destination)}`;
}

/**
 * move_mount says EINVAL where mount(2) says ENOTDIR: a directory on a file, or the other way round. Engines look for
 * "not a directory", so both ends are asked whether they are one; then the mount is tried once more for its own error.
 */
function explainMismatch(doing: string, name: string): Recovery {
  const flags = openFlags.O_PATH | openFlags.O_DIRECTORY | openFlags.O_CLOEXEC;
  const target = `${name}.target`;
  return rarely("EINVAL", "skip", () => [
    step(doing, openat(slot(name), ".", { flags })),
    step(doing, openat(slot(target), ".", { flags })),
    step(doing, moveMount(slot(name), slot(target))),
  ]);
}
