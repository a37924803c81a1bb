// The entry of `state` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { anyContainer, instance, one } from "./arguments.ts";

export const stateCommand = (): Command => ({
  name: "state",
  usage: "print the state of a container as JSON",
  argumentsUsage: instance,
  description: `The state command prints id, process id, status, bundle and annotations of a
container, in the form of the OCI runtime specification.`,
  examples: [
    { does: "print the state of a container", line: "ts-runc state box" },
    { does: "print its process id, with jq(1)", line: "ts-runc state box | jq .pid" },
  ],
  options: [],
  positionals: one,
  candidates: [anyContainer],
  load: async () => (await import("../state.ts")).state,
});
