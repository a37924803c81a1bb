// The pid file that callers of create and run ask for: complete when it appears, a decimal number and nothing else.

import { replaceFile } from "../host/files.ts";

/**
 * Writes the pid file by way of `.NAME` in the same directory, as runc does.
 *
 * @throws `syscall` fault
 */
export function writePidFile(path: string, pid: number): void {
  const at = path.lastIndexOf("/") + 1;
  replaceFile(path, `${pid}`, {
    mode: 0o666,
    doing: "writing the pid file",
    temporary: `${path.slice(0, at)}.${path.slice(at)}`,
  });
}
