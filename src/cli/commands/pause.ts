// The entry of `pause` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { instance, one } from "./arguments.ts";

export const pauseCommand = (): Command => ({
  name: "pause",
  usage: "suspend all processes of a container",
  argumentsUsage: instance,
  description: `The pause command stops all processes of the container where they are. They can be
signalled, which has no effect before they are resumed.`,
  examples: [
    { does: "stop the processes of a container where they are", line: "ts-runc pause box" },
  ],
  options: [],
  positionals: one,
  candidates: [{ containers: ["created", "running"] }],
  load: async () => (await import("../pause.ts")).pause,
});
