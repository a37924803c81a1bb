// The entry of `checkpoint` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { instance, one } from "./arguments.ts";
import { criuOptions, imagePath, workPath } from "./criu-options.ts";

export const checkpointCommand = (): Command => ({
  name: "checkpoint",
  usage: "save a running container as files",
  argumentsUsage: instance,
  description: `The checkpoint command has criu(8) save the processes of a container, with memory and open
files, in a directory, and deletes the container unless told to leave it running. Files of
the root filesystem are not saved.`,
  examples: [
    {
      does: "save a container and end it",
      line: "ts-runc checkpoint --image-path /srv/saved box",
    },
    {
      does: "save most of the memory first, and then, in a shorter pause, what has changed since",
      line: "ts-runc checkpoint --pre-dump --image-path /srv/before box && ts-runc checkpoint --image-path /srv/saved --parent-path ../before box",
    },
  ],
  options: [
    imagePath,
    workPath,
    {
      name: "parent-path",
      kind: "text",
      usage: "directory of an earlier pre-dump, relative to the image path",
    },
    { name: "leave-running", kind: "flag", usage: "leave the container running" },
    ...criuOptions(),
    {
      name: "tcp-skip-in-flight",
      kind: "flag",
      usage: "leave TCP connections out that are being established",
    },
    { name: "link-remap", kind: "flag", usage: "allow open files that have lost their name" },
    {
      name: "status-fd",
      kind: "integer",
      fallback: -1,
      usage: "descriptor that a NUL byte is written to when lazy pages can be fetched",
    },
    {
      name: "page-server",
      kind: "text",
      usage: "send memory to the page server at ADDRESS:PORT",
    },
    {
      name: "pre-dump",
      kind: "flag",
      usage: "save memory only, and leave the container running",
    },
  ],
  positionals: one,
  candidates: [{ containers: ["running", "paused"] }],
  load: async () => (await import("../checkpoint.ts")).checkpoint,
});
