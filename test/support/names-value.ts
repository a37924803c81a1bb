// Whether a message names the value that it is about, as its reader would look for it in the document.

import { show } from "../../src/spec/rules/rule.ts";
import { valueAt } from "../../src/spec/schema-violations.ts";

/**
 * What of the value at a JSON pointer a message should have and has not; undefined where it names the value, or where there is
 * none. Of an object or a list it is enough that one of its members, of their names, or how many there are is in the message.
 */
export function missingValue(
  message: string,
  { document, pointer }: { readonly document: unknown; readonly pointer: string },
): string | undefined {
  const value = valueAt(document, pointer);
  const name = pointer.split("/").at(-1)?.replaceAll("~1", "/") ?? "";
  // Of a map's member it may be the name that is wrong.
  const words = [...wordsOf(value), show(name)];
  const isNamed = isNothing(value) || words.some((word) => message.includes(word));
  return isNamed ? undefined : `${pointer} is ${show(value)}, which is not in: ${message}`;
}

function isNothing(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === "";
}

function* wordsOf(value: unknown): Generator<string> {
  yield show(value);
  // One that could be a part of another word does not count without its quotes.
  if (typeof value === "string" && value.length > 2) yield value;
  if (typeof value === "number") yield `${BigInt(Math.trunc(value))}`;
  if (Array.isArray(value)) yield `got ${value.length}`;
  if (typeof value !== "object" || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (!Array.isArray(value)) yield* wordsOf(name);
    if (!isNothing(member)) yield* wordsOf(member);
  }
}
