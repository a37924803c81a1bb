// The list of commands and the global options: the one source of the parser, the help texts, the completion and the man
// pages; what is said of a command stands in its file of commands/, what it does in the file that its entry loads.

import type { Command } from "./command.ts";
import { checkpointCommand } from "./commands/checkpoint.ts";
import { completionCommand } from "./commands/completion.ts";
import { createCommand } from "./commands/create.ts";
import { deleteCommand } from "./commands/delete.ts";
import { eventsCommand } from "./commands/events.ts";
import { execCommand } from "./commands/exec.ts";
import { featuresCommand } from "./commands/features.ts";
import { killCommand } from "./commands/kill.ts";
import { listCommand } from "./commands/list.ts";
import { pauseCommand } from "./commands/pause.ts";
import { programCommand } from "./commands/program.ts";
import { psCommand } from "./commands/ps.ts";
import { restoreCommand } from "./commands/restore.ts";
import { resumeCommand } from "./commands/resume.ts";
import { runCommand } from "./commands/run.ts";
import { specCommand } from "./commands/spec.ts";
import { startCommand } from "./commands/start.ts";
import { stateCommand } from "./commands/state.ts";
import { updateCommand } from "./commands/update.ts";
import type { Option } from "./options.ts";

/** What makes the entry of each command, in the order in which help lists them: an entry is made when it is asked for. */
const makers: readonly (readonly [name: string, make: () => Command])[] = [
  ["checkpoint", checkpointCommand],
  ["create", createCommand],
  ["delete", deleteCommand],
  ["events", eventsCommand],
  ["exec", execCommand],
  ["kill", killCommand],
  ["list", listCommand],
  ["pause", pauseCommand],
  ["ps", psCommand],
  ["restore", restoreCommand],
  ["resume", resumeCommand],
  ["run", runCommand],
  ["spec", specCommand],
  ["start", startCommand],
  ["state", stateCommand],
  ["update", updateCommand],
  ["features", featuresCommand],
  ["program", programCommand],
  ["completion", completionCommand],
];

/** The entries of all commands. */
export function allCommands(): readonly Command[] {
  return makers.map(([, make]) => make());
}

/** The entry of the command of this name. */
export function findCommand(name: string | undefined): Command | undefined {
  for (const [known, make] of makers) if (known === name) return make();
  return undefined;
}

export const globalOptions: readonly Option[] = [
  { name: "debug", kind: "flag", usage: "log what is done, step by step" },
  {
    name: "log",
    kind: "text",
    usage:
      "write the log to this file, and errors also to standard error (default: standard error only)",
    values: "files",
  },
  {
    name: "log-format",
    kind: "text",
    fallback: "text",
    usage: "form of the log lines: text or json",
    values: ["text", "json"],
  },
  {
    name: "root",
    kind: "text",
    fallback: "/run/ts-runc",
    usage:
      "directory of the state of all containers, in a tmpfs; for a rootless caller the default is $XDG_RUNTIME_DIR/ts-runc",
    values: "directories",
  },
  {
    name: "systemd-cgroup",
    kind: "flag",
    usage:
      "leave cgroups to systemd; cgroupsPath is then slice:prefix:name, as in " +
      "system.slice:runc:box",
  },
  {
    name: "cgroup-manager",
    kind: "text",
    fallback: "cgroupfs",
    usage:
      "who makes the container's cgroup: cgroupfs, systemd (as --systemd-cgroup), or disabled for none",
    values: ["cgroupfs", "systemd", "disabled"],
  },
  {
    name: "rootless",
    kind: "text",
    fallback: "auto",
    usage: "pass over what only root may do with cgroups: true, false or auto",
    values: ["true", "false", "auto"],
  },
  { name: "help", short: "h", kind: "flag", usage: "show this help" },
  { name: "version", short: "v", kind: "flag", usage: "print the versions" },
];

/** Understood by the parser itself. */
export const helpCommand = {
  name: "help",
  usage: "show the commands, or the help of one",
} as const;
