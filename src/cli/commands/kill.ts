// The entry of `kill` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { liveContainer } from "./arguments.ts";

export const killCommand: Command = {
  name: "kill",
  usage: "kill sends the specified signal (default: SIGTERM) to the container's init process",
  argumentsUsage: `<container-id> [signal]

Where "<container-id>" is the name for the instance of the container and
"[signal]" is the signal to be sent to the init process.`,
  description: `The kill command sends a signal to the container's init process. The signal is a
name, with or without "SIG" and in any case, or a number.`,
  examples: [
    { does: "ask a container to end", line: "ts-runc kill my-container" },
    { does: "leave it no choice", line: "ts-runc kill my-container KILL" },
  ],
  options: [
    {
      name: "all",
      short: "a",
      kind: "flag",
      hidden: true,
      usage: "(obsoleted, do not use) succeed when the container is not running",
    },
  ],
  positionals: { min: 1, max: 2 },
  candidates: [liveContainer, "signals"],
  load: async () => (await import("../kill.ts")).kill,
};
