// The entry of `run` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { newInstance, one } from "./arguments.ts";
import { creationOptions, fromBundle } from "./creation.ts";
import { detach, noSubreaper } from "./process-options.ts";

export const runCommand = (): Command => ({
  name: "run",
  usage: "make a container and run its program",
  argumentsUsage: newInstance,
  description: `The run command makes a container of a bundle, starts its program, and stays until it
has ended, unless told to detach. It ends with the status of the program.
${fromBundle}`,
  examples: [
    { does: "run the bundle in the current directory", line: "ts-runc run box" },
    {
      does: "run it in the background",
      line: "ts-runc run --detach --bundle /srv/hello box",
    },
  ],
  options: [
    ...creationOptions(),
    detach,
    { name: "keep", kind: "flag", usage: "do not delete the container when its program has ended" },
    noSubreaper,
  ],
  positionals: one,
  failure: "runc run failed",
  load: async () => (await import("../run.ts")).run,
});
