// Small files of cgroup directories: read in one read(2), written in one write(2); long ones (cgroup.procs) go by host/files.ts.

import { errnoName } from "../../abi/errno.ts";
import { AT_FDCWD, openFlags } from "../../abi/file.ts";
import { raise } from "../../base/fault.ts";
import { execute, executeForOutput } from "../../ffi/execute.ts";
import { openat, read } from "../../syscall/files.ts";
import { own } from "../files.ts";

const smallBytes = 4096;
const decoder = new TextDecoder();

/**
 * Reads a small file of a cgroup without the final newline.
 *
 * @returns undefined when it cannot be read: the group is gone (ENOENT, ENODEV), or the kernel lacks the file
 */
export function readCgroupFile(path: string): string | undefined {
  const fd = execute(openat(AT_FDCWD, path, { flags: openFlags.O_CLOEXEC }));
  if (fd < 0) return undefined;
  using file = own(fd);
  const { result, output } = executeForOutput(read(file.fd, smallBytes));
  return result < 0 ? undefined : decoder.decode(output.subarray(0, result)).trimEnd();
}

/** The number behind `key` in a file of `key number` lines, such as cgroup.events; 0 when it has no such line. */
export function readCgroupCounter(path: string, key: string): number {
  for (const line of readCgroupFile(path)?.split("\n") ?? []) {
    if (line.startsWith(`${key} `)) return Number(line.slice(key.length + 1));
  }
  return 0;
}

/**
 * Throws the fault for a write that returned `result`.
 *
 * @throws `syscall` fault always
 */
export function raiseWrite(path: string, doing: string, result: number): never {
  raise({
    kind: "syscall",
    doing,
    call: "write",
    target: JSON.stringify(path),
    errno: errnoName(-result),
    where: "runtime",
  });
}
