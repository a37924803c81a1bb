// What an option is and what a parsed one yields; not which options there are (table.ts) nor how they are read (parse.ts).

import { assert } from "../base/assert.ts";
import type { Status } from "../container/status.ts";

/** What can stand in a place of the command line: for completion, never a check. */
export type Candidates =
  | "files"
  | "directories"
  | "signals"
  | "capabilities"
  | "commands"
  | { readonly containers: readonly Status[] }
  | readonly string[];

export type Option = {
  readonly name: string;
  /** Second name, of one letter. */
  readonly short?: string;
  /** `texts` and `integers` can be given more than once, and are all kept. */
  readonly kind: "flag" | "text" | "integer" | "duration" | "texts" | "integers";
  /** What a text, a number or a duration (`5s`) is when it is not given; a flag is then false. */
  readonly fallback?: string | number;
  readonly usage: string;
  /** What its value can be. */
  readonly values?: Candidates;
  /** Accepted for old callers and not shown. */
  readonly hidden?: true;
};

export type OptionValue = string | number | boolean | readonly (string | number | boolean)[];

/** Every command has it. */
export const helpOption: Option = {
  name: "help",
  short: "h",
  kind: "flag",
  usage: "show this help",
};

/** Values of the options that were given, by full name. */
export type OptionValues = ReadonlyMap<string, OptionValue>;

/** Whether a flag was given and is true. */
export function flag(values: OptionValues, name: string): boolean {
  return values.get(name) === true;
}

/** The text given for an option; undefined when it was not given or given empty, which callers of runc treat alike. */
export function text(values: OptionValues, name: string): string | undefined {
  const value = values.get(name) ?? "";
  assert(typeof value === "string", `--${name} is not a text`);
  return value === "" ? undefined : value;
}

/** The text given for an option, even when it is empty. */
export function textAsGiven(values: OptionValues, name: string): string | undefined {
  const value = values.get(name);
  assert(value === undefined || typeof value === "string", `--${name} is not a text`);
  return value;
}

/** The number given for an option, or 0. */
export function integer(values: OptionValues, name: string): number {
  const value = values.get(name) ?? 0;
  assert(typeof value === "number", `--${name} is not a number`);
  return value;
}

/** Milliseconds given for an option that is a duration; undefined when it was not given. */
export function durationMs(values: OptionValues, name: string): number | undefined {
  const value = values.get(name);
  assert(value === undefined || typeof value === "number", `--${name} is not a duration`);
  return value;
}

/** The texts given for an option that can be given more than once, in order. */
export function texts(values: OptionValues, name: string): readonly string[] {
  return list(values, name).map(String);
}

/** The numbers given for an option that can be given more than once, in order. */
export function integers(values: OptionValues, name: string): readonly number[] {
  return list(values, name).map(Number);
}

function list(values: OptionValues, name: string): readonly (string | number | boolean)[] {
  const given = values.get(name) ?? [];
  assert(typeof given === "object", `--${name} is not a list`);
  return given;
}
