// The options that the commands which start a process share: create, run, exec.

import type { Option } from "../options.ts";

export const consoleSocket: Option = {
  name: "console-socket",
  kind: "text",
  usage:
    "path to an AF_UNIX socket which will receive a file descriptor referencing the master end " +
    "of the console's pseudoterminal",
  values: "files",
};
export const pidFile: Option = {
  name: "pid-file",
  kind: "text",
  usage: "specify the file to write the process id to",
  values: "files",
};
export const detach: Option = {
  name: "detach",
  short: "d",
  kind: "flag",
  usage: "detach from the container's process",
};
export const preserveFds: Option = {
  name: "preserve-fds",
  kind: "integer",
  fallback: 0,
  usage: "Pass N additional file descriptors to the container (stdio + $LISTEN_FDS + N in total)",
};
