// Where the host's libseccomp is and which one it is, found out without opening it: opening takes longer than all the rest.

import { AT_FDCWD } from "../../abi/file.ts";
import { readWideField, statxBuffer } from "../../abi/struct.ts";
import { executeForOutput } from "../../ffi/execute.ts";
import { statx } from "../../syscall/files.ts";
import { readLink } from "../processes.ts";

export type SeccompLibrary = {
  readonly path: string;
  /** Undefined where the file's name does not tell. */
  readonly version: string | undefined;
  /** Another text for every other file in its place: an update can keep the version. */
  readonly identity: string;
};

const folders = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/lib64",
  "/lib",
];

/** Looks where the distributions put it. */
export function findLibseccomp(): SeccompLibrary | undefined {
  for (const folder of folders) {
    const path = `${folder}/libseccomp.so.2`;
    const { result, output } = executeForOutput(statx(AT_FDCWD, path));
    if (result < 0) continue;
    const field = (name: string): bigint => readWideField(statxBuffer, output, name);
    const [inode, size, changed] = ["stx_ino", "stx_size", "stx_ctime.tv_sec"].map(field);
    const version = /libseccomp\.so\.(\d+\.\d+\.\d+)$/.exec(readLink(path) ?? "")?.[1];
    return { path, version, identity: `${path} ${version} ${inode} ${size} ${changed}` };
  }
  return undefined;
}
