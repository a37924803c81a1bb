// The entry of `features` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { none } from "./arguments.ts";

export const featuresCommand = (): Command => ({
  name: "features",
  usage: "print as JSON what this runtime can do",
  argumentsUsage: "",
  description: `The features command prints what this runtime can do, in the form of features.md of the
OCI runtime specification.`,
  examples: [
    {
      does: "list the mount options, with jq(1)",
      line: "ts-runc features | jq -r '.mountOptions[]'",
    },
  ],
  options: [],
  positionals: none,
  load: async () => (await import("../features.ts")).features,
});
