// What a rule of the specification is: a place, a section, and the findings there; not any particular rule.

import type { Violation } from "../../base/fault.ts";

/** What decides some rules and is not in the document. */
export type SpecFacts = {
  /** The document's name in messages; `config.json` when absent. */
  readonly document?: string;
  /** Whether the runtime works without root's privileges. */
  readonly rootless?: boolean;
  /** Whether the caller asked for `--no-pivot`. */
  readonly noPivot?: boolean;
};

export type Finding = {
  /** JSON pointer below the rule's own; "" is the rule's place itself. */
  readonly at: string;
  readonly message: string;
};

export type Rule<Document> = {
  /** The specification's document and section. */
  readonly section: string;
  /** JSON pointer of the place that the rule is about. */
  readonly pointer: string;
  /** Whether the rule minds that there is nothing at its place; the others are not asked then. */
  readonly minds?: "absence";
  readonly find: (document: Document, facts: SpecFacts) => Iterable<Finding>;
};

/** No findings, without a list for each time. */
export const nothing: readonly Finding[] = [];

/** Every violation of `rules` in `document`, which is found at `prefix` of the file that the pointers are for. */
export function findViolations<Document>(
  rules: readonly Rule<Document>[],
  {
    document,
    facts,
    prefix = "",
  }: { readonly document: Document; readonly facts: SpecFacts; readonly prefix?: string },
): readonly Violation[] {
  const violations: Violation[] = [];
  for (const { section, pointer, minds, find } of rules) {
    if (minds !== "absence" && !isPresent(document, pointer)) continue;
    for (const { at, message } of find(document, facts)) {
      violations.push({ pointer: `${prefix}${pointer}${at}`, message, section });
    }
  }
  return violations;
}

/** Whether a document has something at a rule's pointer, which has no escapes. */
function isPresent(document: unknown, pointer: string): boolean {
  let value = document;
  for (let start = 1; start < pointer.length; ) {
    if (typeof value !== "object" || value === null) return false;
    const slash = pointer.indexOf("/", start);
    const end = slash === -1 ? pointer.length : slash;
    value = Reflect.get(value, pointer.slice(start, end));
    if (value === undefined) return false;
    start = end + 1;
  }
  return true;
}

/** A finding at the rule's place when `broken`; the message is worded only then. */
export function findWhen(
  broken: boolean,
  message: string | (() => string),
  at = "",
): readonly Finding[] {
  if (!broken) return nothing;
  return [{ at, message: typeof message === "string" ? message : message() }];
}

/** A finding for each entry of a list about which `judge` has something to say. */
export function findEach<Entry>(
  list: readonly Entry[] | undefined,
  judge: (entry: Entry, index: number) => string | undefined,
): readonly Finding[] {
  const findings: Finding[] = [];
  let index = 0;
  for (const entry of list ?? []) {
    const message = judge(entry, index);
    if (message !== undefined) findings.push({ at: `/${index}`, message });
    index += 1;
  }
  return findings;
}

/** A finding for each member of a map about which `judge` has something to say. */
export function findEachMember<Member>(
  map: Readonly<Record<string, Member>> | undefined,
  judge: (key: string, member: Member) => string | undefined,
): readonly Finding[] {
  return Object.entries(map ?? {})
    .map(([key, member]) => {
      const message = judge(key, member);
      return message === undefined ? nothing : [{ at: `/${escapeKey(key)}`, message }];
    })
    .flat();
}

/** A finding for each entry that has the same key as an earlier one. */
export function findDuplicates<Entry>(
  list: readonly Entry[] | undefined,
  { key, what }: { readonly key: (entry: Entry) => string; readonly what: string },
): readonly Finding[] {
  const seen = new Set<string>();
  return findEach(list, (entry) => {
    const name = key(entry);
    if (seen.has(name)) return `repeats the ${what} ${show(name)}`;
    seen.add(name);
    return undefined;
  });
}

/** A finding for each text that holds a NUL byte, which would end it early in the kernel's eyes. */
export function findNuls(list: readonly string[] | undefined): readonly Finding[] {
  return findEach(list, judgeNul);
}

/** A finding when the text of the rule's own place holds a NUL byte. */
export function findNul(text: string | undefined, at = ""): readonly Finding[] {
  const message = judgeNul(text);
  return message === undefined ? nothing : [{ at, message }];
}

/** What is wrong with a text that holds a NUL byte. */
export function judgeNul(text: string | undefined): string | undefined {
  return text?.includes("\0") ? `must not contain a NUL byte, got ${show(text)}` : undefined;
}

/** What is wrong with a path that must be absolute. */
export function judgeAbsolute(path: string): string | undefined {
  return path.startsWith("/") ? judgeNul(path) : `must be an absolute path, got ${show(path)}`;
}

/** Whether a text has more bytes than that in UTF-8; short ones are not encoded to find out. */
export function isLongerThan(bytes: number, text: string): boolean {
  return text.length * 3 > bytes && byteLength(text) > bytes;
}

/** A function of its own, because Bun makes `Buffer` (0.13 ms) when a function that names it is first called. */
function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

/** A value as it appears in messages: JSON, cut when it is long. */
export function show(value: unknown): string {
  const limit = 60;
  const shortened = typeof value === "string" ? value.slice(0, limit + 1) : value;
  const text = JSON.stringify(shortened) ?? "nothing";
  return text.length > limit ? `${text.slice(0, limit)}...` : text;
}

/** A key as a part of a JSON pointer (RFC 6901). */
function escapeKey(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
