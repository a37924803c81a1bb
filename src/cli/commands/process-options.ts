// The options that the commands which start a process share: create, run, exec.

import type { Option } from "../options.ts";

export const consoleSocket: Option = {
  name: "console-socket",
  kind: "text",
  usage: "path of a unix socket that is sent the master of the terminal",
  values: "files",
};
export const pidFile: Option = {
  name: "pid-file",
  kind: "text",
  usage: "file to write the process id to",
  values: "files",
};
export const detach: Option = {
  name: "detach",
  short: "d",
  kind: "flag",
  usage: "do not wait for the process",
};
export const preserveFds: Option = {
  name: "preserve-fds",
  kind: "integer",
  fallback: 0,
  usage: "pass N more descriptors on, from 3 and behind those of $LISTEN_FDS",
};
export const noSubreaper: Option = {
  name: "no-subreaper",
  kind: "flag",
  usage: "do not become the parent of orphaned processes of the container",
};
