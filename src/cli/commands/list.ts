// The entry of `list` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { none } from "./arguments.ts";

export const listCommand: Command = {
  name: "list",
  usage: "lists containers started by ts-runc with the given root",
  argumentsUsage: `

Where the given root is specified via the global option "--root"
(default: "/run/ts-runc").`,
  description: "The list command shows every container of the state root with its status.",
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
      usage: "select one of: table or json",
      values: ["table", "json"],
    },
    { name: "quiet", short: "q", kind: "flag", usage: "display only container IDs" },
  ],
  positionals: none,
  load: async () => (await import("../list.ts")).list,
};
