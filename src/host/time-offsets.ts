// Writes the offsets of a new time namespace; time_namespaces(7).

import { raiseErrno } from "../ffi/execute.ts";
import { toInt64 } from "../spec/integers.ts";
import type { Linux } from "../spec/types.ts";
import { call, text } from "../syscall/value.ts";
import { tryWrite } from "./files.ts";

/**
 * Writes timens_offsets of the process that has made the namespace, before a process enters it. Run by the runtime: the
 * file of a process that hides itself is root's.
 *
 * Spec: config-linux.md#offset-for-time-namespace.
 *
 * @throws `syscall` fault: ERANGE for a clock that would be negative, or beyond 146 years
 */
export function writeTimeOffsets(pid: number, offsets: Linux["timeOffsets"]): void {
  const lines = Object.entries(offsets ?? {}).map(
    ([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${toInt64(secs)} ${nanosecs}`,
  );
  const path = `/proc/${pid}/timens_offsets`;
  const result = tryWrite(path, `${lines.join("\n")}\n`);
  const doing = `setting linux.timeOffsets (${lines.join(", ")})`;
  if (result < 0) raiseErrno(call("write", text(path)), doing, result);
}
