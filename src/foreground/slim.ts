// Makes the runtime small while it waits for a container in the foreground; what it lets go comes back when it is touched.

import { execute } from "../ffi/execute.ts";
import { readTextIfPresent } from "../host/files.ts";
import { readExecutable } from "../host/processes.ts";
import { getpid, madviseDontNeed } from "../syscall/processes.ts";

/**
 * Gives memory back: garbage, and the pages of our executable that starting a container has touched and waiting does not
 * need. They stay in the page cache. Run by the runtime.
 */
export function slim(): void {
  Bun.gc(true);
  const executable = readExecutable(execute(getpid()));
  const maps = readTextIfPresent("/proc/self/maps", "looking at our own memory") ?? "";
  for (const line of maps.split("\n")) {
    const mapping = executable === undefined ? undefined : parseMapping(line, executable);
    if (mapping !== undefined) execute(madviseDontNeed(mapping.start, mapping.end - mapping.start));
  }
}

type Mapping = { readonly start: number; readonly end: number };

/**
 * Parses a line of proc_pid_maps(5) if it is a part of the executable that nobody can have changed: its code, and the
 * read-only data at its beginning. Other read-only parts have been relocated, and would come back as they were in the file.
 */
function parseMapping(line: string, executable: string): Mapping | undefined {
  const [range = "", access = "", offset = ""] = line.split(" ");
  const unchanged = access === "r-xp" || (access === "r--p" && /^0+$/.test(offset));
  if (!unchanged || !line.endsWith(` ${executable}`)) return undefined;
  const [start = "", end = ""] = range.split("-");
  return { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) };
}
