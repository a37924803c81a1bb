// The parser of the command line, over the tables of options; it behaves as urfave/cli on Go's flag package, which runc
// uses, and prints nothing.

import type { Command } from "./command.ts";
import { parseDuration } from "./duration.ts";
import { helpOption, type Option, type OptionValue, type OptionValues } from "./options.ts";
import { quote } from "./quote.ts";
import { findCommand, globalOptions } from "./table.ts";

/** A command line as understood. `globals` are the values of the options before the command. */
export type CommandLine = { readonly globals: OptionValues } & (
  | {
      readonly kind: "command";
      readonly command: Command;
      readonly values: OptionValues;
      readonly positionals: readonly string[];
    }
  /** Help was asked for: of the program or of one command. */
  | { readonly kind: "help"; readonly command?: Command }
  | { readonly kind: "version" }
  | { readonly kind: "unknown"; readonly name: string }
  /** A mistake: `headline` goes above the usage text on stdout, `message` is the error. */
  | {
      readonly kind: "mistake";
      readonly headline: string;
      readonly message: string;
      readonly command?: Command;
    }
);

type ReadOptions =
  | { readonly kind: "read"; readonly values: OptionValues; readonly rest: readonly string[] }
  | { readonly kind: "mistake"; readonly message: string };

const noValues: OptionValues = new Map();

/** Understands the arguments that follow the program's name; `program` is that name as called, for runc's messages. */
export function parseCommandLine(argv: readonly string[], program: string): CommandLine {
  const global = readOptions(argv, globalOptions);
  if (global.kind === "mistake") {
    const { message } = global;
    return { kind: "mistake", globals: noValues, headline: `Incorrect Usage. ${message}`, message };
  }
  const { values: globals, rest } = global;
  if (globals.get("help") === true) return { kind: "help", globals };
  if (globals.get("version") === true) return { kind: "version", globals };
  const [name = "", ...tail] = rest;
  if (name === "help" || name === "h") return parseHelpTopic(tail[0], globals);
  const command = findCommand(name);
  if (command !== undefined) return parseCommand(tail, { command, globals, program });
  return name === "" ? { kind: "help", globals } : { kind: "unknown", name, globals };
}

function parseHelpTopic(topic: string | undefined, globals: OptionValues): CommandLine {
  if (topic === undefined) return { kind: "help", globals };
  const command = findCommand(topic);
  return command === undefined
    ? { kind: "unknown", name: topic, globals }
    : { kind: "help", command, globals };
}

function parseCommand(
  argv: readonly string[],
  context: {
    readonly command: Command;
    readonly globals: OptionValues;
    readonly program: string;
  },
): CommandLine {
  const { command, globals, program } = context;
  const options = [...command.options, helpOption];
  // Where positionals are another program's words, so are the options among them.
  const isOpen = command.positionals.max === Number.POSITIVE_INFINITY;
  const read = readOptions(isOpen ? argv : optionsFirst(argv, options), options);
  if (read.kind === "mistake") {
    const headline = `Incorrect Usage: ${read.message}`;
    return { kind: "mistake", globals, command, headline, message: read.message };
  }
  const { values, rest: positionals } = read;
  if (values.get("help") === true) return { kind: "help", command, globals };
  const problem = checkCount(command, positionals.length);
  if (problem === undefined) return { kind: "command", command, globals, values, positionals };
  const message = `${program}: ${quote(command.name)} requires ${problem} argument(s)`;
  return { kind: "mistake", globals, command, headline: "Incorrect Usage.", message };
}

function checkCount({ positionals: { min, max } }: Command, count: number): string | undefined {
  if (min === max) return count === min ? undefined : `exactly ${min}`;
  if (count < min) return `a minimum of ${min}`;
  return count > max ? `a maximum of ${max}` : undefined;
}

/**
 * The arguments with those options in front that stand behind a positional, up to a `--`: urfave/cli sorts them so for all commands
 * of runc but `exec` and `ps`. What is not an option of the command stays where it is, as `-9` of `kill` does.
 */
function optionsFirst(argv: readonly string[], options: readonly Option[]): readonly string[] {
  const first: string[] = [];
  const others: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? "";
    if (argument === "--") return [...first, ...others, ...argv.slice(index)];
    const { form, given } = splitOption(argument);
    const option = argument.startsWith("-") ? findOption(options, form) : undefined;
    (option === undefined ? others : first).push(argument);
    const value = argv[index + 1];
    if (option === undefined || option.kind === "flag" || given !== undefined) continue;
    if (value === undefined) continue;
    first.push(value);
    index += 1;
  }
  return [...first, ...others];
}

/** Splits `--form=given` or `-form`: one dash is as good as two. */
function splitOption(argument: string): {
  readonly form: string;
  readonly given: string | undefined;
} {
  const body = argument.slice(argument.startsWith("--") ? 2 : 1);
  const equals = body.indexOf("=");
  if (equals < 0) return { form: body, given: undefined };
  return { form: body.slice(0, equals), given: body.slice(equals + 1) };
}

function findOption(options: readonly Option[], form: string): Option | undefined {
  for (const option of options) if (option.name === form || option.short === form) return option;
  return undefined;
}

/** Reads options up to the first positional, which is where Go's flag package stops, or past a `--`. */
function readOptions(argv: readonly string[], options: readonly Option[]): ReadOptions {
  const values = new Map<string, OptionValue>();
  const forms = new Map<string, string>();
  let index = 0;
  while (index < argv.length) {
    const argument = argv[index] ?? "";
    if (argument.length < 2 || !argument.startsWith("-")) break;
    index += 1;
    if (argument === "--") break;
    const { form, given: behind } = splitOption(argument);
    if (form === "" || form.startsWith("-")) return mistake(`bad flag syntax: ${argument}`);
    const option = findOption(options, form);
    if (option === undefined) return mistake(`flag provided but not defined: -${form}`);
    let given = behind;
    if (given === undefined && option.kind !== "flag") {
      given = argv[index];
      index += 1;
      if (given === undefined) return mistake(`flag needs an argument: -${form}`);
    }
    const value = readValue(option, given ?? "true");
    if (typeof value === "object") return mistake(wordValueProblem(option, { form, ...value }));
    const other = forms.get(option.name) ?? form;
    if (other !== form) {
      const both = [other, form].sort().join(" ");
      return mistake(`Cannot use two forms of the same flag: ${both}`);
    }
    forms.set(option.name, form);
    const earlier = values.get(option.name);
    if (option.kind !== "texts" && option.kind !== "integers") values.set(option.name, value);
    else values.set(option.name, [...(typeof earlier === "object" ? earlier : []), value]);
  }
  return { kind: "read", values, rest: argv.slice(index) };
}

function mistake(message: string): ReadOptions {
  return { kind: "mistake", message };
}

type ValueProblem = { readonly given: string; readonly problem: string };

function readValue(option: Option, given: string): string | number | boolean | ValueProblem {
  switch (option.kind) {
    case "text":
    case "texts":
      return given;
    case "flag":
      return readBoolean(given) ?? { given, problem: "parse error" };
    case "integer":
      return readInteger(given);
    case "integers":
      return readDecimal(given);
    case "duration": {
      const nanoseconds = parseDuration(given);
      if (nanoseconds === undefined) return { given, problem: "parse error" };
      return Number(nanoseconds) / 1e6;
    }
  }
}

function wordValueProblem(
  option: Option,
  { form, given, problem }: ValueProblem & { readonly form: string },
): string {
  return option.kind === "flag"
    ? `invalid boolean value ${quote(given)} for -${form}: ${problem}`
    : `invalid value ${quote(given)} for flag -${form}: ${problem}`;
}

/** Go's strconv.ParseBool. */
export function readBoolean(given: string): boolean | undefined {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(given)) return true;
  return ["0", "f", "F", "FALSE", "false", "False"].includes(given) ? false : undefined;
}

const int64Max = 2n ** 63n - 1n;

/** Go's strconv.ParseInt in base 10, whose words urfave/cli passes on here. */
function readDecimal(given: string): number | ValueProblem {
  const parsing = `strconv.ParseInt: parsing ${quote(given)}`;
  if (!/^[+-]?\d+$/.test(given)) return { given, problem: `${parsing}: invalid syntax` };
  const value = Number(given);
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER
    ? value
    : { given, problem: `${parsing}: value out of range` };
}

/** Go's strconv.ParseInt in base 0: decimal, 0x, 0o, 0 and 0b, in 64 bits. */
function readInteger(given: string): number | ValueProblem {
  const match =
    /^([+-]?)(?:(0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)|0([0-7]+)|(0|[1-9]\d*))$/.exec(given);
  if (match === null || given.length > 128) return { given, problem: "parse error" };
  const [, sign, prefixed, octal, decimal] = match;
  const digits = prefixed ?? (octal === undefined ? decimal : `0o${octal}`);
  const size = BigInt(digits ?? "0");
  if (size > int64Max) return { given, problem: "value out of range" };
  return sign === "-" ? -Number(size) : Number(size);
}
