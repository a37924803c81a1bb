// The directories that CRIU is given: where the images of a checkpoint are, and where it works and writes its log.

import { errnos } from "../../abi/errno.ts";
import { AT_FDCWD, openFlags } from "../../abi/file.ts";
import { execute, raiseErrno } from "../../ffi/execute.ts";
import { mkdirat } from "../../syscall/files.ts";
import { makeDirectories, type OwnedFd, openFile } from "../files.ts";

export type CriuDirectories = Disposable & {
  readonly images: OwnedFd;
  /** Undefined where it is that of the images. */
  readonly work: OwnedFd | undefined;
  /** Path of the one that gets the log. */
  readonly logs: string;
};

export type CriuPaths = { readonly images: string; readonly work: string | undefined };

/** For root alone: what was in memory is in there. */
const privateMode = 0o700;
/** A user namespace's root is to be let through when it is restored; the files themselves are still root's alone. */
const passableMode = 0o711;

/**
 * Makes the directory of the images, with what is missing above it, and opens both.
 *
 * @throws `syscall` fault
 */
export function makeCriuDirectories(
  paths: CriuPaths,
  options: { readonly userNamespace: boolean },
): CriuDirectories {
  makeDirectories(paths.images, options.userNamespace ? passableMode : privateMode, doing);
  return openCriuDirectories(paths);
}

const doing = "opening the directory of the checkpoint";

/**
 * Opens both directories; that of the images has to be there.
 *
 * @throws `syscall` fault
 */
export function openCriuDirectories(paths: CriuPaths): CriuDirectories {
  const images = openDirectory(paths.images, doing);
  try {
    const work = paths.work === undefined ? undefined : openWorkDirectory(paths.work);
    return {
      images,
      work,
      logs: paths.work ?? paths.images,
      [Symbol.dispose]: () => {
        images[Symbol.dispose]();
        work?.[Symbol.dispose]();
      },
    };
  } catch (error) {
    images[Symbol.dispose]();
    throw error;
  }
}

function openWorkDirectory(path: string): OwnedFd {
  const opening = "opening the work directory of criu";
  const make = mkdirat(AT_FDCWD, path, privateMode);
  const result = execute(make);
  if (result < 0 && result !== -errnos.EEXIST) raiseErrno(make, opening, result);
  return openDirectory(path, opening);
}

function openDirectory(path: string, opening: string): OwnedFd {
  return openFile(path, { flags: openFlags.O_DIRECTORY, doing: opening });
}
