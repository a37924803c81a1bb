// What the commands that make a container share: their options, and what help says of bundles.

import type { Option } from "../options.ts";
import { consoleSocket, pidFile, preserveFds } from "./process-options.ts";

export const fromBundle = `What the container is like and which program it runs, the bundle's config.json says;
"ts-runc spec" writes one to begin with.`;

export const bundle: Option = {
  name: "bundle",
  short: "b",
  kind: "text",
  usage: "directory of the bundle (default: the current directory)",
  values: "directories",
};
export const noPivot: Option = {
  name: "no-pivot",
  kind: "flag",
  usage: "make the root without pivot_root(2), for a root filesystem on a ramdisk",
};

export const creationOptions = (): readonly Option[] => [
  bundle,
  consoleSocket,
  {
    name: "pidfd-socket",
    kind: "text",
    values: "files",
    usage: "path of a unix socket that is sent a pidfd of the init process",
  },
  pidFile,
  noPivot,
  {
    name: "no-new-keyring",
    kind: "flag",
    usage: "leave the session keyring of the caller to the container",
  },
  preserveFds,
];
