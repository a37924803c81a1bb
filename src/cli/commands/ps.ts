// The entry of `ps` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { liveContainer } from "./arguments.ts";

export const psCommand = (): Command => ({
  name: "ps",
  usage: "show the processes of a container",
  argumentsUsage: "<container-id> [ps options]",
  description: `The ps command runs the host's ps(1), with "-ef" unless options are given, and
prints its heading and the lines of the container's processes.`,
  examples: [
    { does: "show the processes of a container", line: "ts-runc ps box" },
    {
      does: "choose the columns, one of which has to be PID",
      line: "ts-runc ps box -o pid,rss,args",
    },
    { does: "print their pids only", line: "ts-runc ps --format json box" },
  ],
  options: [
    {
      name: "format",
      short: "f",
      kind: "text",
      fallback: "table",
      usage: "form of the list: table or json, which has only the pids",
      values: ["table", "json"],
    },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  candidates: [liveContainer],
  load: async () => (await import("../ps.ts")).ps,
});
