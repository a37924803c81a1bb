// Lists of CPU or memory node numbers as the kernel writes them (`0-3,7`), their grammar only.

/** What is wrong with a list; nothing with an empty one. */
export function judgeIndexList(list: string): string | undefined {
  if (list.trim() === "") return undefined;
  const got = `got ${JSON.stringify(list.slice(0, 60))}`;
  for (const part of list.split(",")) {
    const match = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(part);
    if (match === null) return `must be a list like 0-3,7, ${got}`;
    const [, first, last = first] = match;
    if (Number(first) > Number(last)) {
      return `has a range that goes backwards: ${part.trim()}, ${got}`;
    }
  }
  return undefined;
}

/** The numbers of a list without fault, in its order. */
export function listIndexes(list: string): readonly number[] {
  if (list.trim() === "") return [];
  return list
    .split(",")
    .map((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    })
    .flat();
}
