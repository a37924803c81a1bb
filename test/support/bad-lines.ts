// Command lines that cannot be meant, generated from the table of commands: a new entry is tried without being named here.

import type { Command } from "../../src/cli/command.ts";
import type { Option } from "../../src/cli/options.ts";
import { globalOptions } from "../../src/cli/table.ts";
import { logMessages, type Outcome, runc, runProgram } from "../cli/executable.ts";

/** A command line without the program, and what is wrong with it. */
export type BadLine = {
  readonly name: string;
  readonly argv: readonly string[];
  /** The option that is wrong. */
  readonly option?: string;
};

/** What is given for an option, by what is wrong with it; undefined gives nothing. */
const values: Readonly<Record<string, string | undefined>> = {
  missing: undefined,
  empty: "",
  malformed: "?x",
  negative: "-1",
  "huge number": "99999999999999999999",
  "huge text": "x".repeat(5000),
};

/** Every option of a command with every bad value; `words` are the positionals that make the rest of the line right. */
export function badOptionLines(command: Command, words: readonly string[]): readonly BadLine[] {
  return command.options.flatMap((option) =>
    badValues(option).map(([what, given]) => ({
      name: `${command.name} --${option.name}: ${what}`,
      option: option.name,
      // Nothing may follow an option without its value.
      argv: [command.name, given, ...(what === "missing" ? [] : words)],
    })),
  );
}

/** Too few and too many positionals, unknown options, an id that is none. */
export function badWordLines(command: Command, words: readonly string[]): readonly BadLine[] {
  const { name, positionals } = command;
  const lines = [
    { name: `${name}: unknown option`, argv: [name, "--nosuch", ...words] },
    { name: `${name}: unknown letter`, argv: [name, "-z", ...words] },
    { name: `${name}: bad syntax`, argv: [name, "---x", ...words] },
  ];
  if (positionals.min > 0) {
    lines.push(
      { name: `${name}: too few`, argv: [name, ...words.slice(0, positionals.min - 1)] },
      { name: `${name}: bad id`, argv: [name, "a/b", ...words.slice(1)] },
      { name: `${name}: empty id`, argv: [name, "", ...words.slice(1)] },
    );
  }
  if (Number.isFinite(positionals.max)) {
    const more = Array.from({ length: positionals.max + 1 }, () => "x");
    lines.push({ name: `${name}: too many`, argv: [name, ...more] });
  }
  return lines;
}

/** Every global option with every bad value, in front of `list`. */
export function badGlobalLines(): readonly BadLine[] {
  return globalOptions
    .filter(({ name }) => name !== "help" && name !== "version")
    .flatMap((option) =>
      badValues(option).map(([what, given]) => ({
        name: `--${option.name}: ${what}`,
        option: option.name,
        argv: what === "missing" ? [given] : [given, "list"],
      })),
    );
}

/** A flag needs no value. */
function badValues({ name, kind }: Option): readonly (readonly [what: string, given: string])[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined || kind !== "flag")
    .map(([what, value]) => [what, value === undefined ? `--${name}` : `--${name}=${value}`]);
}

/** The options that Debian's runc has too, by its own account; undefined for a command that it does not know. */
export function runcOptions(command: string): ReadonlySet<string> | undefined {
  const { stdout } = runProgram([String(runc), command, "--help"]);
  if (!stdout.includes(`runc ${command} -`)) return undefined;
  // Hidden ones are not in the help.
  const hidden = ["all", "kernel-memory", "kernel-memory-tcp"];
  return new Set([
    ...hidden,
    ...[...stdout.matchAll(/^ {3}--([\w-]+)/gm)].map(([, name = ""]) => name),
  ]);
}

/** What a caller sees of a failure: status, headline, errors; without what differs from call to call. */
export function viewFailure(
  { status, stdout, stderr }: Outcome,
  places: readonly string[],
): string {
  const [first = ""] = stdout.split("\n");
  const headline = first.startsWith("Incorrect Usage") ? first : "";
  const text = JSON.stringify({ status, headline, errors: logMessages(stderr) });
  return places
    .reduce((all, place) => all.replaceAll(place, "HERE"), text)
    .replaceAll("x".repeat(5000), "x...");
}
