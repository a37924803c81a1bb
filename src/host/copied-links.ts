// The symbolic links of the host that a container is to have, too: sources of binds with crun's option `copy-symlink`.

import type { Spec } from "../spec/types.ts";
import { readLink } from "./processes.ts";

/** Reads what the sources are links to, by number of the mount. Those that are no links are bound as ever. */
export function readCopiedLinks(
  { mounts = [] }: Spec,
  bundle: string,
): ReadonlyMap<number, string> {
  const links = new Map<number, string>();
  for (const [index, { source = "", options = [] }] of mounts.entries()) {
    if (!options.includes("copy-symlink")) continue;
    const target = readLink(source.startsWith("/") ? source : `${bundle}/${source}`);
    if (target !== undefined) links.set(index, target);
  }
  return links;
}
