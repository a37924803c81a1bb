// The entry of `exec` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import type { Option } from "../options.ts";
import { consoleSocket, detach, pidFile, preserveFds } from "./process-options.ts";

const options: readonly Option[] = [
  consoleSocket,
  {
    name: "pidfd-socket",
    kind: "text",
    usage:
      "path to an AF_UNIX socket which will receive a file descriptor referencing the exec process",
    values: "files",
  },
  { name: "cwd", kind: "text", usage: "current working directory in the container" },
  { name: "env", short: "e", kind: "texts", usage: "set environment variables" },
  { name: "tty", short: "t", kind: "flag", usage: "allocate a pseudo-TTY" },
  { name: "user", short: "u", kind: "text", usage: "UID (format: <uid>[:<gid>])" },
  { name: "additional-gids", short: "g", kind: "integers", usage: "additional gids" },
  { name: "process", short: "p", kind: "text", usage: "path to the process.json", values: "files" },
  detach,
  pidFile,
  {
    name: "process-label",
    kind: "text",
    usage: "set the asm process label for the process commonly used with selinux",
  },
  { name: "apparmor", kind: "text", usage: "set the apparmor profile for the process" },
  {
    name: "no-new-privs",
    kind: "flag",
    usage: "set the no new privileges value for the process",
  },
  {
    name: "cap",
    short: "c",
    kind: "texts",
    usage: "add a capability to the bounding set for the process",
  },
  preserveFds,
  {
    name: "cgroup",
    kind: "texts",
    usage: "run the process in an (existing) sub-cgroup(s). Format is [<controller>:]<cgroup>.",
  },
  { name: "ignore-paused", kind: "flag", usage: "allow exec in a paused container" },
];

export const execCommand: Command = {
  name: "exec",
  usage: "execute new process inside the container",
  argumentsUsage: `<container-id> <command> [command options]  || -p process.json <container-id>

Where "<container-id>" is the name for the instance of the container and
"<command>" is the command to be executed in the container.
"<command>" can't be empty unless a "-p" flag provided.`,
  description: `The exec command runs a process in a running container. What is not said of it
is taken from the config of the container.`,
  examples: [
    { does: "list the processes as the container sees them", line: "ts-runc exec my-container ps" },
    { does: "get a shell on a terminal", line: "ts-runc exec --tty my-container sh" },
    {
      does: "run as another user, in another directory",
      line: "ts-runc exec --user 1000:1000 --cwd /tmp my-container id",
    },
  ],
  options,
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  candidates: [{ containers: ["created", "running"] }],
  failure: "exec failed",
  failureStatus: 255,
  load: async () => (await import("../exec.ts")).exec,
};
