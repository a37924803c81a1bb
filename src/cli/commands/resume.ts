// The entry of `resume` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { instance, one } from "./arguments.ts";

export const resumeCommand = (): Command => ({
  name: "resume",
  usage: "let the processes of a paused container go on",
  argumentsUsage: instance,
  description: "The resume command lets all processes of a paused container go on.",
  examples: [{ does: "let a paused container go on", line: "ts-runc resume box" }],
  options: [],
  positionals: one,
  candidates: [{ containers: ["paused"] }],
  load: async () => (await import("../resume.ts")).resume,
});
