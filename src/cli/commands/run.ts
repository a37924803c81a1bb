// The entry of `run` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { newInstance, one } from "./arguments.ts";
import { creationOptions, fromBundle } from "./creation.ts";
import { detach } from "./process-options.ts";

export const runCommand: Command = {
  name: "run",
  usage: "create and run a container",
  argumentsUsage: newInstance,
  description: `The run command creates an instance of a container for a bundle and starts it.\n${fromBundle}`,
  examples: [
    { does: "run the bundle in the current directory", line: "ts-runc run my-container" },
    {
      does: "run it in the background",
      line: "ts-runc run --detach --bundle /srv/hello my-container",
    },
  ],
  options: [
    ...creationOptions,
    detach,
    { name: "keep", kind: "flag", usage: "do not delete the container after it exits" },
    {
      name: "no-subreaper",
      kind: "flag",
      usage: "disable the use of the subreaper used to reap reparented processes",
    },
  ],
  positionals: one,
  failure: "runc run failed",
  load: async () => (await import("../run.ts")).run,
};
