// The entry of `spec` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { none } from "./arguments.ts";

export const specCommand = (): Command => ({
  name: "spec",
  usage: "write the config.json of a new bundle",
  argumentsUsage: "",
  description: `The spec command writes a config.json for a new bundle. It is a beginning: it runs
"sh" on a terminal, which the root file system in the directory "rootfs" has to have.`,
  examples: [
    { does: "write a config.json into the current directory", line: "ts-runc spec" },
    {
      does: "write one for a container with a user namespace",
      line: "ts-runc spec --rootless --bundle /srv/hello",
    },
  ],
  options: [
    {
      name: "bundle",
      short: "b",
      kind: "text",
      usage: "directory to write to (default: the current directory)",
      values: "directories",
    },
    {
      name: "rootless",
      kind: "flag",
      usage: "with a user namespace, for a container of a user who is not root",
    },
  ],
  positionals: none,
  load: async () => (await import("../spec.ts")).spec,
});
