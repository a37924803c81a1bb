// The options that `checkpoint` and `restore` share: what CRIU is told both times.

import type { Option } from "../options.ts";

export const imagePath: Option = {
  name: "image-path",
  kind: "text",
  usage: "directory of the saved state (default: ./checkpoint)",
  values: "directories",
};
export const workPath: Option = {
  name: "work-path",
  kind: "text",
  usage: "directory for what criu writes besides, its log among it (default: that of the state)",
  values: "directories",
};
export const criuOptions = (): readonly Option[] => [
  { name: "tcp-established", kind: "flag", usage: "allow open TCP connections" },
  { name: "ext-unix-sk", kind: "flag", usage: "allow unix sockets that lead out of the container" },
  { name: "shell-job", kind: "flag", usage: "allow processes of a session or terminal of others" },
  {
    name: "lazy-pages",
    kind: "flag",
    usage: "fetch memory only when it is touched, by userfaultfd",
  },
  { name: "file-locks", kind: "flag", usage: "allow file locks, which others must not hold" },
  {
    name: "manage-cgroups-mode",
    kind: "text",
    usage: "what to do about cgroups: soft, full, strict or ignore (default: soft)",
    values: ["soft", "full", "strict", "ignore"],
  },
  {
    name: "empty-ns",
    kind: "texts",
    usage: "make this namespace anew and leave it empty; network always is",
    values: ["network"],
  },
  { name: "auto-dedup", kind: "flag", usage: "drop what later images of memory have as well" },
];
