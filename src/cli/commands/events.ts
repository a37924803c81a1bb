// The entry of `events` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { instance, one } from "./arguments.ts";

export const eventsCommand = (): Command => ({
  name: "events",
  usage: "display container events such as OOM notifications, cpu, memory, and IO usage statistics",
  argumentsUsage: instance,
  description: `The events command displays information about the container. By default the
information is displayed once every 5 seconds.`,
  examples: [
    { does: "watch a container until it ends", line: "ts-runc events ubuntu01" },
    {
      does: "show how much memory it uses, with jq(1)",
      line: "ts-runc events --stats ubuntu01 | jq .data.memory.usage",
    },
  ],
  options: [
    {
      name: "interval",
      kind: "duration",
      fallback: "5s",
      usage: "set the stats collection interval",
    },
    { name: "stats", kind: "flag", usage: "display the container's stats then exit" },
  ],
  positionals: one,
  candidates: [{ containers: ["created", "running", "paused"] }],
  load: async () => (await import("../events.ts")).events,
});
