// What is said of the program as a whole, in its help and in its man page; of the commands, their entries speak.

import type { Example } from "./command.ts";

export const programSummary = "Open Container Initiative runtime";

export const programDescription = `ts-runc makes and runs containers from bundles, with the command line of runc. A bundle
is a directory with a configuration, "config.json", and the root file system of the
container. "create" makes a container of it, "start" starts its program, and "run" does
both at once. The container id is the name that you give the container.`;

/** A name and what is to be known of it. */
type Entry = readonly [name: string, about: string];

export const environment: readonly Entry[] = [
  [
    "XDG_RUNTIME_DIR",
    "where the state root of a rootless caller is, in its directory ts-runc; not looked at for root",
  ],
  [
    "LISTEN_FDS",
    "how many descriptors from 3 on are handed to the container, besides those of --preserve-fds",
  ],
  ["NO_COLOR", "if set and not empty, errors on a terminal have no colours"],
];

export const files: readonly Entry[] = [
  ["config.json", "the configuration, in the bundle"],
  ["/run/ts-runc", "the state of root's containers, a directory each"],
];

export const exitStatuses: readonly Entry[] = [
  ["0", "what was asked for has been done"],
  ["1", "it has not; the last line on standard error, or of the log, says why"],
  ["3", "there is no such command"],
  ["255", "exec has failed before its program could run"],
  [
    "any",
    "run and exec in the foreground end with the status of the container's program, or with 128 and the number of the signal that has killed it",
  ],
];

export const programExamples: readonly Example[] = [
  { does: "run the bundle in the current directory", line: "ts-runc run box" },
  { does: "see what runs", line: "ts-runc list" },
  {
    does: "keep the state elsewhere, and a log that programs can read",
    line: "ts-runc --root /run/mine --log /var/log/ts-runc.json --log-format json run box",
  },
];
