// Absolute paths made of the ones callers give, by their text alone; the current directory is asked for only where a
// relative path needs it, because it may have been deleted.

import { raise } from "../base/fault.ts";
import { pathNames } from "../base/path.ts";
import { mustForOutput } from "../ffi/execute.ts";
import { getcwd } from "../syscall/files.ts";

const pathMaxBytes = 4096;

/**
 * Makes a path absolute and removes its `.`, `..` and empty components, without looking at the file system.
 *
 * @throws FaultError when the path is relative and there is no current directory
 */
export function absolutePath(path: string): string {
  const whole = path.startsWith("/") ? path : `${currentDirectory()}/${path}`;
  return `/${pathNames(whole).join("/")}`;
}

function currentDirectory(): string {
  const { result, output } = mustForOutput(getcwd(pathMaxBytes), "finding the current directory");
  const path = new TextDecoder().decode(output.subarray(0, result - 1));
  // The kernel says "(unreachable)/..." for a directory outside of the process's root.
  if (!path.startsWith("/")) raise({ kind: "refused", message: `current directory is ${path}` });
  return path;
}
