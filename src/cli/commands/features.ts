// The entry of `features` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { none } from "./arguments.ts";

export const featuresCommand: Command = {
  name: "features",
  usage: "show the enabled features",
  argumentsUsage: "",
  description: `Show the enabled features as JSON, in the form of the runtime specification's
features.md.`,
  examples: [
    {
      does: "list the mount options, with jq(1)",
      line: "ts-runc features | jq -r '.mountOptions[]'",
    },
  ],
  options: [],
  positionals: none,
  load: async () => (await import("../features.ts")).features,
};
