// The entry of `program` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { none } from "./arguments.ts";

export const programCommand = (): Command => ({
  name: "program",
  usage: "print what would be done for a bundle, call by call",
  argumentsUsage: "",
  description: `Prints the system calls that init would make for the bundle on this host, with
what each is for, and what the runtime does beside them. Nothing is done.`,
  examples: [
    {
      does: "read what would be done for a bundle",
      line: "ts-runc program --bundle /srv/hello | less",
    },
  ],
  options: [
    {
      name: "bundle",
      short: "b",
      kind: "text",
      usage: "directory of the bundle (default: the current directory)",
      values: "directories",
    },
  ],
  positionals: none,
  load: async () => (await import("../program.ts")).program,
});
