// The entry of `list` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { none } from "./arguments.ts";

export const listCommand = (): Command => ({
  name: "list",
  usage: "list the containers of a state root",
  argumentsUsage: "",
  description: `The list command shows the containers whose state is in the directory that --root
names, with their status.`,
  examples: [
    { does: "list the containers", line: "ts-runc list" },
    { does: "list those of another state root", line: "ts-runc --root /run/other list" },
    {
      does: "delete all that have stopped, with jq(1)",
      line: "ts-runc list --format json | jq -r '.[]? | select(.status == \"stopped\").id' | xargs -rn1 ts-runc delete",
    },
  ],
  options: [
    {
      name: "format",
      short: "f",
      kind: "text",
      fallback: "table",
      usage: "form of the list: table or json",
      values: ["table", "json"],
    },
    { name: "quiet", short: "q", kind: "flag", usage: "print ids only" },
  ],
  positionals: none,
  load: async () => (await import("../list.ts")).list,
});
