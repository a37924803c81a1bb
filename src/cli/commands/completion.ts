// The entry of `completion` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { none } from "./arguments.ts";

export const completionCommand: Command = {
  name: "completion",
  usage: "print a completion script for bash",
  argumentsUsage: "",
  description: "The script completes commands and options. Have your shell read it at start.",
  examples: [
    { does: "complete in this shell", line: "source <(ts-runc completion)" },
    {
      does: "complete in every shell to come",
      line: "ts-runc completion > /etc/bash_completion.d/ts-runc",
    },
  ],
  options: [],
  positionals: none,
  load: async () => (await import("../help.ts")).completion,
};
