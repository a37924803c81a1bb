// The entry of `resume` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { one } from "./arguments.ts";

export const resumeCommand: Command = {
  name: "resume",
  usage: "resumes all processes that have been previously paused",
  argumentsUsage: `<container-id>

Where "<container-id>" is the name for the instance of the container to be
resumed.`,
  description: `The resume command resumes all processes in the instance of the container.

Use ts-runc list to identify instances of containers and their current status.`,
  examples: [{ does: "let a paused container go on", line: "ts-runc resume box" }],
  options: [],
  positionals: one,
  candidates: [{ containers: ["paused"] }],
  load: async () => (await import("../resume.ts")).resume,
};
