// The entry of `state` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { anyContainer, instance, one } from "./arguments.ts";

export const stateCommand: Command = {
  name: "state",
  usage: "output the state of a container",
  argumentsUsage: instance,
  description: `The state command outputs current state information for the
instance of a container.`,
  examples: [
    { does: "print the state of a container", line: "ts-runc state my-container" },
    { does: "print its process id, with jq(1)", line: "ts-runc state my-container | jq .pid" },
  ],
  options: [],
  positionals: one,
  candidates: [anyContainer],
  load: async () => (await import("../state.ts")).state,
};
