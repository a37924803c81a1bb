// The entry of `delete` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { anyContainer, instance, one } from "./arguments.ts";

export const deleteCommand = (): Command => ({
  name: "delete",
  usage: "delete what is left of a container",
  argumentsUsage: instance,
  description: `The delete command removes what is left of a container that has stopped: its
state and the cgroups that were made for it. The bundle stays.`,
  examples: [
    { does: "delete a container that has stopped", line: "ts-runc delete box" },
    { does: "kill it first if it still runs", line: "ts-runc delete --force box" },
  ],
  options: [
    {
      name: "force",
      short: "f",
      kind: "flag",
      usage: "kill the container first if it still runs, and accept that there is none",
    },
  ],
  positionals: one,
  candidates: [anyContainer],
  load: async () => (await import("../delete.ts")).deleteCommand,
});
