// The entry of `restore` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { newInstance, one } from "./arguments.ts";
import { bundle, noPivot } from "./creation.ts";
import { criuOptions, imagePath, workPath } from "./criu-options.ts";
import { consoleSocket, detach, noSubreaper, pidFile } from "./process-options.ts";

export const restoreCommand = (): Command => ({
  name: "restore",
  usage: "make a container of a saved one",
  argumentsUsage: newInstance,
  description: `The restore command makes a container of a bundle and of the processes that the checkpoint
command has saved, which go on where they were. Unless told to detach it stays until the
container has ended, and ends with the status of its program.`,
  examples: [
    {
      does: "let a saved container go on in the background",
      line: "ts-runc restore --detach --image-path /srv/saved --bundle /srv/hello box",
    },
  ],
  options: [
    consoleSocket,
    imagePath,
    workPath,
    ...criuOptions(),
    bundle,
    detach,
    pidFile,
    noSubreaper,
    noPivot,
    {
      name: "lsm-profile",
      kind: "text",
      usage: "label to run under, as TYPE:NAME (apparmor:profile, selinux:label)",
    },
    {
      name: "lsm-mount-context",
      kind: "text",
      usage: "SELinux context that takes the place of the saved one in mounts",
    },
  ],
  positionals: one,
  load: async () => (await import("../restore.ts")).restore,
});
