// Paths by their text alone: what `.`, `..` and doubled slashes mean where no link is looked at.

/** The names of a path, without empty ones and `.`; `..` takes away the name before it, and stops at the beginning. */
export function pathNames(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return names;
}
