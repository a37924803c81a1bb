// Memory of a process as the kernel counts it: its own pages, and of shared ones its share (PSS); proc_pid_smaps(5).

import { readFileSync } from "node:fs";

/** PSS in KiB. */
export function readPssKib(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const match = /^Pss: +(\d+) kB$/m.exec(text);
  if (match === null) throw new Error(`/proc/${pid}/smaps_rollup has no Pss`);
  return Number(match[1]);
}
