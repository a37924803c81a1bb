// The stage: where the sources of binds are kept while a container with a user namespace is made, opened by the host's root.
//
// The container's root may not reach a source: the directory above it belongs to somebody of the host. And it may not translate
// the ids of a file system of the host. The host's root may do both, but a mount that it hands in is not locked: the container
// could take off the host's ro, nosuid and nodev. So the sources are attached in a mount namespace in between, which is the
// host's and nobody else sees, on a tmpfs in which the stub then stands. When the container's mount namespace is made as a
// copy, the kernel locks all that comes over from another owner, and the stub finds its place in the copy.

import { AT_FDCWD, atFlags, fileTypes, openFlags } from "../../abi/file.ts";
import { openTreeFlags, propagations } from "../../abi/mount.ts";
import { cloneFlags } from "../../abi/process.ts";
import { type Step, step } from "../../program/step.ts";
import { close, fchdir, mkdirat, mknodat, openat } from "../../syscall/files.ts";
import {
  fsconfigCreate,
  fsconfigString,
  fsmount,
  fsopen,
  mountSetattr,
  moveMount,
  openTree,
} from "../../syscall/mounts.ts";
import { unshare } from "../../syscall/processes.ts";
import { slot } from "../../syscall/value.ts";
import { type MountIdmap, mapIds } from "./idmap.ts";

const { AT_RECURSIVE } = atFlags;
const { O_CLOEXEC, O_DIRECTORY, O_PATH } = openFlags;
const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC } = openTreeFlags;

/** One source, under the number of its mount. */
export type StagedSource = {
  readonly doing: string;
  readonly index: number;
  readonly source: string;
  /** With the mounts below it. */
  readonly recursive: boolean;
  /** A symbolic link is not followed. */
  readonly nofollow: boolean;
  readonly idmap: MountIdmap | undefined;
};

/** Where a staged source is, seen from the working directory. */
export function stagedPath(index: number): string {
  return `${index}`;
}

/** A directory beside a source that is one, a file beside any other. */
export function stagedKind(index: number): string {
  return `${index}.kind`;
}

/**
 * Steps that open the sources and leave the stub in the directory where they are. Run by the stub as the host's root, before
 * it enters a user namespace.
 *
 * @param directory a directory of ours that nothing else is looked for in: it is covered
 */
export function stageSources(sources: readonly StagedSource[], directory: string): Step[] {
  const doing = "making the stage for mounts";
  return [
    step(doing, unshare(cloneFlags.CLONE_NEWNS)),
    // What is mounted here is for nobody else; what the host unmounts goes here, too.
    step(
      doing,
      mountSetattr(AT_FDCWD, "/", { flags: AT_RECURSIVE, propagation: propagations.MS_SLAVE }),
    ),
    ...enterStage(doing, directory),
    ...sources.map(stageSource).flat(),
    step(doing, close(slot("stage"))),
  ];
}

function enterStage(doing: string, directory: string): Step[] {
  const context = slot("stage.context");
  return [
    step(doing, fsopen("tmpfs"), { slot: context.value }),
    step(doing, fsconfigString(context, "source", "tmpfs")),
    // The container's root is nobody here, and has to find the names.
    step(doing, fsconfigString(context, "mode", "0711")),
    step(doing, fsconfigCreate(context)),
    step(doing, fsmount(context, 0), { slot: "stage" }),
    step(doing, close(context)),
    step(doing, openat(AT_FDCWD, directory, { flags: O_PATH | O_DIRECTORY | O_CLOEXEC }), {
      slot: "stage.place",
    }),
    step(doing, moveMount(slot("stage"), slot("stage.place"))),
    step(doing, close(slot("stage.place"))),
    step(doing, fchdir(slot("stage"))),
  ];
}

function stageSource({ doing, index, source, idmap, ...how }: StagedSource): Step[] {
  const name = `stage${index}`;
  const [here, kind] = [stagedPath(index), stagedKind(index)];
  const follow = how.nofollow ? openTreeFlags.AT_SYMLINK_NOFOLLOW : 0;
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (how.recursive ? AT_RECURSIVE : 0) | follow;
  return [
    step(doing, openTree(AT_FDCWD, source, flags), { slot: name }),
    // Before the ids are translated: root itself may be nobody afterwards.
    step(doing, openat(slot(name), ".", { flags: O_PATH | O_DIRECTORY | O_CLOEXEC }), {
      slot: `${name}.directory`,
      onSuccess: [
        step(doing, close(slot(`${name}.directory`))),
        ...[here, kind].map((each) => step(doing, mkdirat(slot("stage"), each, 0o755))),
      ],
      recovery: {
        errnos: ["ENOTDIR"],
        steps: [here, kind].map((each) =>
          step(doing, mknodat(slot("stage"), each, { type: fileTypes.S_IFREG, mode: 0o644 })),
        ),
        next: "skip",
      },
    }),
    ...(idmap === undefined ? [] : mapIds(doing, name, { source, idmap })),
    step(doing, openat(slot("stage"), here, { flags: O_PATH | O_CLOEXEC }), {
      slot: `${name}.place`,
    }),
    step(doing, moveMount(slot(name), slot(`${name}.place`))),
    step(doing, close(slot(`${name}.place`))),
    step(doing, close(slot(name))),
  ];
}
