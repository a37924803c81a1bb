// The entry of `create` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { newInstance, one } from "./arguments.ts";
import { creationOptions, fromBundle } from "./creation.ts";

export const createCommand = (): Command => ({
  name: "create",
  usage: "make a container, whose program waits for start",
  argumentsUsage: newInstance,
  description: `The create command makes a container of a bundle, up to the point where only its
program has to be started.
${fromBundle}`,
  examples: [
    {
      does: "make a container from the bundle in /srv/hello, to be started later",
      line: "ts-runc create --bundle /srv/hello box",
    },
    {
      does: "have its pid written to a file",
      line: "ts-runc create --bundle /srv/hello --pid-file /run/my.pid box",
    },
  ],
  options: creationOptions(),
  positionals: one,
  failure: "runc create failed",
  load: async () => (await import("../create.ts")).create,
});
