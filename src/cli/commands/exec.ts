// The entry of `exec` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import type { Option } from "../options.ts";
import { consoleSocket, detach, pidFile, preserveFds } from "./process-options.ts";

const options = (): readonly Option[] => [
  consoleSocket,
  {
    name: "pidfd-socket",
    kind: "text",
    usage: "path of a unix socket that is sent a pidfd of the process",
    values: "files",
  },
  { name: "cwd", kind: "text", usage: "working directory in the container" },
  { name: "env", short: "e", kind: "texts", usage: "set a variable: NAME=VALUE" },
  { name: "tty", short: "t", kind: "flag", usage: "give the process a terminal" },
  { name: "user", short: "u", kind: "text", usage: "user, and group, in digits: UID[:GID]" },
  {
    name: "additional-gids",
    short: "g",
    kind: "integers",
    usage: "supplementary group, in digits",
  },
  {
    name: "process",
    short: "p",
    kind: "text",
    usage: "file with the process in JSON, in place of arguments and options",
    values: "files",
  },
  detach,
  pidFile,
  {
    name: "process-label",
    kind: "text",
    usage: "SELinux label of the process",
  },
  { name: "apparmor", kind: "text", usage: "AppArmor profile of the process" },
  {
    name: "no-new-privs",
    kind: "flag",
    usage: "have no_new_privs set, so that set-user-ID files give nothing",
  },
  {
    name: "cap",
    short: "c",
    kind: "texts",
    usage: "give the process a capability more",
    values: "capabilities",
  },
  preserveFds,
  {
    name: "cgroup",
    kind: "texts",
    usage: "cgroup below the container's to run in: [CONTROLLER[,CONTROLLER]:]PATH",
  },
  { name: "ignore-paused", kind: "flag", usage: "wait in a paused container instead of failing" },
];

export const execCommand = (): Command => ({
  name: "exec",
  usage: "run a process in a container",
  argumentsUsage: "<container-id> <command> [arguments...], or --process FILE <container-id>",
  description: `The exec command runs a process in a created or running container. What is not
said of it is taken from the process in the config of the container. Options end
at the container id: what follows the command is the command's.`,
  examples: [
    { does: "list the processes as the container sees them", line: "ts-runc exec box ps" },
    { does: "get a shell on a terminal", line: "ts-runc exec --tty box sh" },
    {
      does: "run as another user, in another directory",
      line: "ts-runc exec --user 1000:1000 --cwd /tmp box id",
    },
  ],
  options: options(),
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  candidates: [{ containers: ["created", "running"] }],
  failure: "exec failed",
  failureStatus: 255,
  load: async () => (await import("../exec.ts")).exec,
});
