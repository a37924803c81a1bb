// The entry of `pause` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { one } from "./arguments.ts";

export const pauseCommand: Command = {
  name: "pause",
  usage: "pause suspends all processes inside the container",
  argumentsUsage: `<container-id>

Where "<container-id>" is the name for the instance of the container to be
paused.`,
  description: `The pause command suspends all processes in the instance of the container.

Use ts-runc list to identify instances of containers and their current status.`,
  examples: [
    { does: "stop the processes of a container where they are", line: "ts-runc pause box" },
  ],
  options: [],
  positionals: one,
  candidates: [{ containers: ["created", "running"] }],
  load: async () => (await import("../pause.ts")).pause,
};
