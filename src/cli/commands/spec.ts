// The entry of `spec` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { none } from "./arguments.ts";

export const specCommand: Command = {
  name: "spec",
  usage: "create a new specification file",
  argumentsUsage: "",
  description: `The spec command creates the new specification file named "config.json" for
the bundle.

The spec generated is just a starter file. For example, its args parameter calls
"sh", which not every root filesystem has.

A rootless container can be run without root privilege. It needs an adjusted
specification, which --rootless writes.`,
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
      usage: "path to the root of the bundle directory",
      values: "directories",
    },
    {
      name: "rootless",
      kind: "flag",
      usage: "generate a configuration for a rootless container",
    },
  ],
  positionals: none,
  load: async () => (await import("../spec.ts")).spec,
};
