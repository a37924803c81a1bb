// The entry of `kill` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { liveContainer } from "./arguments.ts";

export const killCommand = (): Command => ({
  name: "kill",
  usage: "send a signal (default: SIGTERM) to a container's init process",
  argumentsUsage: "<container-id> [signal]",
  description: `The kill command sends a signal to the container's init process. The signal is a
name, with or without "SIG" and in any case, or a number.`,
  examples: [
    { does: "ask a container to end", line: "ts-runc kill box" },
    { does: "leave it no choice", line: "ts-runc kill box KILL" },
  ],
  options: [
    {
      name: "all",
      short: "a",
      kind: "flag",
      hidden: true,
      usage: "(obsolete) succeed when the container has stopped",
    },
  ],
  positionals: { min: 1, max: 2 },
  candidates: [liveContainer, "signals"],
  load: async () => (await import("../kill.ts")).kill,
});
