// Bind mounts: a clone of the source's tree, opened inside the container's mount namespace, with changed attributes.

import { AT_FDCWD, atFlags } from "../../abi/file.ts";
import { openTreeFlags } from "../../abi/mount.ts";
import { type Step, step } from "../../program/step.ts";
import { mountSetattr, openTree } from "../../syscall/mounts.ts";
import { type ResultOperand, slot } from "../../syscall/value.ts";
import type { AttributeChange, MountOptions } from "./options.ts";

const { AT_EMPTY_PATH, AT_RECURSIVE } = atFlags;

/**
 * Steps that leave the detached clone in slot `name`.
 *
 * The source is opened by init, with a user namespace on the stage: a tree opened in the host's mount namespace would not be
 * locked, and the container could clear the host's ro, nosuid and nodev. Attributes that the host has locked cannot be
 * cleared here; the kernel says EPERM, as it does for every runtime.
 *
 * Spec: config.md#posix-platform-mounts: the source of a bind mount MUST exist (ENOENT otherwise).
 */
export function bindSteps(bind: {
  readonly doing: string;
  readonly name: string;
  readonly source: string;
  readonly options: MountOptions;
}): Step[] {
  const { doing, name, source, options } = bind;
  const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC } = openTreeFlags;
  const recursive = options.recursiveBind ? AT_RECURSIVE : 0;
  const follow = options.sourceNofollow ? openTreeFlags.AT_SYMLINK_NOFOLLOW : 0;
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive | follow;
  return [
    step(doing, openTree(AT_FDCWD, source, flags), { slot: name }),
    ...changeAttributes(doing, slot(name), options),
  ];
}

/** Steps for the attribute changes of a mount's options on a mount that exists; none where nothing is asked for. */
export function changeAttributes(
  doing: string,
  mount: ResultOperand,
  options: Pick<MountOptions, "attributes" | "recursiveAttributes">,
): Step[] {
  const change = (flags: number, { set, clear }: AttributeChange): Step[] =>
    set === 0 && clear === 0 ? [] : [step(doing, mountSetattr(mount, "", { flags, set, clear }))];
  return [
    ...change(AT_EMPTY_PATH, options.attributes),
    ...change(AT_EMPTY_PATH | AT_RECURSIVE, options.recursiveAttributes),
  ];
}
