// The entry of `start` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { instance, one } from "./arguments.ts";

export const startCommand = (): Command => ({
  name: "start",
  usage: "start the program of a created container",
  argumentsUsage: instance,
  description: `The start command has a container that "create" has made run its program. It fails
when the program cannot be executed.`,
  examples: [{ does: "start a container that create has made", line: "ts-runc start box" }],
  options: [],
  positionals: one,
  candidates: [{ containers: ["created"] }],
  load: async () => (await import("../start.ts")).start,
});
