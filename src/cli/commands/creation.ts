// What the commands that make a container share: their options, and what help says of bundles.

import type { Option } from "../options.ts";
import { consoleSocket, pidFile, preserveFds } from "./process-options.ts";

export const fromBundle = `The bundle is a directory with a specification file named "config.json" and a
root filesystem.

The specification file includes an args parameter, which says which command is
run when the container is started. See "ts-runc spec --help".`;

export const creationOptions: readonly Option[] = [
  {
    name: "bundle",
    short: "b",
    kind: "text",
    usage: "path to the root of the bundle directory, defaults to the current directory",
    values: "directories",
  },
  consoleSocket,
  {
    name: "pidfd-socket",
    kind: "text",
    values: "files",
    usage:
      "path to an AF_UNIX socket which will receive a file descriptor referencing the init process",
  },
  pidFile,
  {
    name: "no-pivot",
    kind: "flag",
    usage:
      "do not use pivot root to jail process inside rootfs.  This should be used whenever the " +
      "rootfs is on top of a ramdisk",
  },
  {
    name: "no-new-keyring",
    kind: "flag",
    usage:
      "do not create a new session keyring for the container.  This will cause the container to " +
      "inherit the calling processes session key",
  },
  preserveFds,
];
