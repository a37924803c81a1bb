// What is said of the program as a whole, in its help and in its man page; of the commands, their entries speak.

import type { Example } from "./command.ts";

export const programSummary = "Open Container Initiative runtime";

export const programDescription = `ts-runc is a command line client for running applications packaged according to
the Open Container Initiative (OCI) format, in place of runc.

Containers are configured using bundles. A bundle for a container is a directory
that includes a specification file named "config.json" and a root filesystem.
The root filesystem contains the contents of the container.

To start a new instance of a container:

    # ts-runc run [ -b bundle ] <container-id>

Where "<container-id>" is your name for the instance of the container that you
are starting. The name you provide for the container instance must be unique on
your host. Providing the bundle directory using "-b" is optional. The default
value for "bundle" is the current directory.`;

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
