// The list of commands and the global options: the one source of the parser, the help texts, the completion and the man
// pages; what is said of a command stands in its file of commands/, what it does in the file that its entry loads.

import type { Command } from "./command.ts";
import { completionCommand } from "./commands/completion.ts";
import { createCommand } from "./commands/create.ts";
import { deleteCommand } from "./commands/delete.ts";
import { execCommand } from "./commands/exec.ts";
import { featuresCommand } from "./commands/features.ts";
import { killCommand } from "./commands/kill.ts";
import { listCommand } from "./commands/list.ts";
import { pauseCommand } from "./commands/pause.ts";
import { programCommand } from "./commands/program.ts";
import { psCommand } from "./commands/ps.ts";
import { resumeCommand } from "./commands/resume.ts";
import { runCommand } from "./commands/run.ts";
import { specCommand } from "./commands/spec.ts";
import { startCommand } from "./commands/start.ts";
import { stateCommand } from "./commands/state.ts";
import { updateCommand } from "./commands/update.ts";
import type { Option } from "./options.ts";

/** In the order in which help lists them. */
export const commands: readonly Command[] = [
  createCommand,
  deleteCommand,
  execCommand,
  killCommand,
  listCommand,
  pauseCommand,
  psCommand,
  resumeCommand,
  runCommand,
  specCommand,
  startCommand,
  stateCommand,
  updateCommand,
  featuresCommand,
  programCommand,
  completionCommand,
];

export const globalOptions: readonly Option[] = [
  { name: "debug", kind: "flag", usage: "enable debug logging" },
  {
    name: "log",
    kind: "text",
    usage: "set the log file to write runc logs to (default is '/dev/stderr')",
    values: "files",
  },
  {
    name: "log-format",
    kind: "text",
    fallback: "text",
    usage: "set the log format ('text' (default), or 'json')",
    values: ["text", "json"],
  },
  {
    name: "root",
    kind: "text",
    fallback: "/run/ts-runc",
    usage:
      "root directory for storage of container state (this should be located in tmpfs); " +
      "$XDG_RUNTIME_DIR/ts-runc for a rootless caller",
    values: "directories",
  },
  {
    name: "systemd-cgroup",
    kind: "flag",
    usage:
      "enable systemd cgroup support, expects cgroupsPath to be of form " +
      '"slice:prefix:name" for e.g. "system.slice:runc:434234"',
  },
  {
    name: "rootless",
    kind: "text",
    fallback: "auto",
    usage: "ignore cgroup permission errors ('true', 'false', or 'auto')",
    values: ["true", "false", "auto"],
  },
  { name: "help", short: "h", kind: "flag", usage: "show help" },
  { name: "version", short: "v", kind: "flag", usage: "print the version" },
];

/** Understood by the parser itself. */
export const helpCommand = {
  name: "help",
  usage: "Shows a list of commands or help for one command",
} as const;
