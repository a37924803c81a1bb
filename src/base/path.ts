// Paths by their text alone: what `.`, `..` and doubled slashes mean where no link is looked at.

/**
 * A path without the slashes at its end; empty for the root. No regular expression: compiling a first one takes as long
 * as planning ten mounts, and this is on the way of every container.
 */
export function withoutEndSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === "/") end -= 1;
  return path.slice(0, end);
}

/** The names of a path, without empty ones and `.`; `..` takes away the name before it, and stops at the beginning. */
export function pathNames(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return names;
}
