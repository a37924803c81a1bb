// Debian's crun beside ts-runc. It refuses to start while the v2 tree of a host with cgroup v1 holds a controller, so it is run in
// a mount namespace of its own, where that tree is not mounted.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "../cli/executable.ts";
import { type Room, runBriefly } from "./room.ts";

export const crun = "/usr/bin/crun";
/** Whether there is one to compare with. */
export const hasCrun = existsSync(crun);

/** The shell's command for a mount namespace in which crun starts. */
export function hideUnusedTree(): string {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const trees = mounts.filter((line) => line.includes(" - cgroup2 "));
  const tree = trees.map((line) => line.split(" ")[4]).find((path) => path !== "/sys/fs/cgroup");
  // The one that systemd has beside v1 holds none, and crun makes its groups there.
  const isUsed = existsSync("/run/systemd/system");
  return tree === undefined || isUsed ? ":" : `umount ${tree}`;
}

/** The arguments that run crun, with a state root in the room. */
function crunCommand(room: Room, ...argv: readonly string[]): readonly string[] {
  const command = [crun, "--root", join(room.directory, "crun-state"), ...argv];
  // It gives its standard input to the container's user, and be it the host's null device: so that is something else.
  const script = `${hideUnusedTree()} && exec "$@" <<end\nend\n`;
  return ["unshare", "-m", "sh", "-c", script, "sh", ...command];
}

/** Runs crun to its end. */
export function runCrun(room: Room, ...argv: readonly string[]): Outcome {
  return runBriefly(crunCommand(room, ...argv), { cwd: room.directory });
}
