// A part of the v2 tree that is given to the ordinary user of a room, cgroups(7), with a group from which it calls; not what is
// tested in it.

import { chownSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import type { Outcome } from "../cli/executable.ts";
import { type OrdinaryUser, type Program, programs, uid } from "./ordinary-user.ts";

export type DelegatedPart = {
  /** The directory that is the user's. */
  readonly directory: string;
  /** Runs a program as the user in the part. */
  readonly run: (argv: readonly string[]) => Outcome;
  /** Runs a runtime as the user in the part. */
  readonly runtime: (program: Program, ...argv: readonly string[]) => Outcome;
  readonly remove: () => void;
};

/**
 * Makes the part, at the top of the tree: a group with processes, as that of the tests may be, gives no controllers to those below.
 * Undefined on a host without cgroup v2.
 */
export function openDelegatedPart({ asUser }: OrdinaryUser): DelegatedPart | undefined {
  const host = readCgroupHost();
  if (host.version !== "v2") return undefined;
  const above = host.hierarchy.mountPoint;
  const directory = join(above, `ts-runc-test-delegated-${process.pid}`);
  const caller = join(directory, "caller");
  mkdirSync(caller, { recursive: true });
  for (const each of [above, directory]) {
    for (const controller of ["cpu", "memory", "pids"]) {
      writeFileSync(join(each, "cgroup.subtree_control"), `+${controller}`);
    }
  }
  for (const each of [directory, caller]) {
    for (const name of ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]) {
      chownSync(join(each, name), uid, uid);
    }
  }
  const run = (argv: readonly string[]): Outcome =>
    asUser(argv, { before: `echo $$ >${caller}/cgroup.procs` });
  return {
    directory,
    run,
    runtime: (program, ...argv) => run([programs[program], ...argv]),
    remove: () => {
      rmdirSync(caller);
      rmdirSync(directory);
    },
  };
}
