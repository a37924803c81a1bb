// The answer to --version: runc's lines, which callers parse, and ours.

import { commit, runcVersion, specVersion, version } from "../../build/version.ts";
import { AT_FDCWD } from "../abi/file.ts";
import { executeForOutput } from "../ffi/execute.ts";
import { readlinkat } from "../syscall/files.ts";
import { print } from "./output.ts";

/** Prints the version. The first line starts with `runc version `: go-runc insists on it. */
export function printVersion(): number {
  print(versionText());
  return 0;
}

/** The lines of --version: also a part of the program's help. */
export function versionText(): string {
  const libseccomp = readLibseccompVersion();
  const lines = [
    `runc version ${runcVersion}`,
    `ts-runc: ${version}`,
    `commit: ${commit}`,
    `spec: ${specVersion}`,
    ...(libseccomp === undefined ? [] : [`libseccomp: ${libseccomp}`]),
  ];
  return `${lines.join("\n")}\n`;
}

const libraryFolders = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/lib64",
  "/lib",
];
const linkMaxBytes = 256;

/** The version of the host's libseccomp, from where its link points: loading it takes longer than all the rest. */
export function readLibseccompVersion(): string | undefined {
  for (const folder of libraryFolders) {
    const link = readlinkat(AT_FDCWD, `${folder}/libseccomp.so.2`, linkMaxBytes);
    const { result, output } = executeForOutput(link);
    if (result < 0) continue;
    const target = new TextDecoder().decode(output.subarray(0, result));
    const match = /libseccomp\.so\.(\d+\.\d+\.\d+)$/.exec(target);
    if (match?.[1] !== undefined) return match[1];
  }
  return undefined;
}
