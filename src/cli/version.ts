// The answer to --version: runc's lines, which callers parse, and ours.

import { commit, runcVersion, specVersion, version } from "../../build/version.ts";
import { findLibseccomp } from "../host/seccomp/library.ts";
import { print } from "./output.ts";

/** Prints the version. The first line starts with `runc version `: go-runc insists on it. */
export function printVersion(): number {
  print(versionText());
  return 0;
}

/** The lines of --version: also a part of the program's help. */
export function versionText(): string {
  const libseccomp = findLibseccomp()?.version;
  const lines = [
    `runc version ${runcVersion}`,
    // By number, as runc's own tests look at them.
    `commit: ${commit}`,
    `spec: ${specVersion}`,
    `ts-runc: ${version}`,
    ...(libseccomp === undefined ? [] : [`libseccomp: ${libseccomp}`]),
  ];
  return `${lines.join("\n")}\n`;
}
