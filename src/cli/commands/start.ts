// The entry of `start` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { instance, one } from "./arguments.ts";

export const startCommand: Command = {
  name: "start",
  usage: "executes the user defined process in a created container",
  argumentsUsage: instance,
  description: "The start command executes the user defined process in a created container.",
  examples: [
    { does: "start a container that create has made", line: "ts-runc start my-container" },
  ],
  options: [],
  positionals: one,
  candidates: [{ containers: ["created"] }],
  load: async () => (await import("../start.ts")).start,
};
