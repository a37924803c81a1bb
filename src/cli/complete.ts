// What can follow the words typed so far: the answer to the shells' scripts (completion.ts). Options are offered up to the
// first positional: behind it the parser takes them for most commands, too, but what stands there may belong to another program.

import { signals } from "../abi/process.ts";
import { FaultError } from "../base/fault.ts";
import { listContainers } from "../container/list.ts";
import type { Status } from "../container/status.ts";
import { capabilityNames } from "../spec/capability-names.ts";
import { type Candidates, helpOption, type Option } from "./options.ts";
import { print } from "./output.ts";
import { findRoot } from "./root.ts";
import { allCommands, findCommand, globalOptions, helpCommand } from "./table.ts";

/** A word that could stand there, and what a shell may show beside it. */
export type Word = { readonly word: string; readonly about: string };

/** Words, or what the shell itself knows best. */
export type Answer = readonly Word[] | "files" | "directories";

/** Lists the containers of these statuses; `root` is what was typed for it. */
export type FindContainers = (
  root: string | undefined,
  statuses: readonly Status[],
) => readonly string[];

/** Asked for with what was typed, to be completed. */
type Question = {
  readonly current: string;
  readonly root: string | undefined;
  readonly containers: FindContainers;
};

/**
 * Prints what can stand in place of the last word: a word a line, a tab and what it is; or `:files` or `:directories`.
 * What goes wrong is no answer, and no error: a person is typing.
 */
export function complete(typed: readonly string[]): number {
  const answer = findCandidates(typed, findContainers);
  const lines = answer === "files" || answer === "directories" ? [`:${answer}`] : answer.map(show);
  print(lines.map((line) => `${line}\n`).join(""));
  return 0;
}

function show({ word, about }: Word): string {
  return about === "" ? word : `${word}\t${about}`;
}

/** Finds what can stand in place of the last of the words that follow the program's name. */
export function findCandidates(typed: readonly string[], containers: FindContainers): Answer {
  const before = typed.slice(0, -1);
  const global = walk(before, globalOptions);
  const root = global.values.get("root");
  const question = { current: typed.at(-1) ?? "", root, containers };
  const [name, ...tail] = global.positionals;
  if (name === undefined) return answerAt(global, ["commands"], question);
  if (name === "help" || name === "h")
    return answerAt(walk(tail, [helpOption]), ["commands"], question);
  const command = findCommand(name);
  if (command === undefined) return [];
  return answerAt(walk(tail, [...command.options, helpOption]), command.candidates ?? [], question);
}

/** How far words go along a list of options. */
type Walk = {
  readonly options: readonly Option[];
  readonly values: ReadonlyMap<string, string>;
  /** The option whose value comes next. */
  readonly waiting: Option | undefined;
  /** Whether there can be no more options. */
  readonly ended: boolean;
  readonly positionals: readonly string[];
};

function walk(words: readonly string[], options: readonly Option[]): Walk {
  const values = new Map<string, string>();
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (!/^-./.test(word) || word === "--") {
      const positionals = words.slice(word === "--" ? at + 1 : at);
      return { options, values, waiting: undefined, ended: true, positionals };
    }
    const { form, value } = splitOption(word);
    const option = findOption(options, form);
    if (option === undefined) continue;
    values.set(option.name, value ?? words[at + 1] ?? "");
    if (value !== undefined || option.kind === "flag") continue;
    at += 1;
    if (at >= words.length) {
      return { options, values, waiting: option, ended: false, positionals: [] };
    }
  }
  return { options, values, waiting: undefined, ended: false, positionals: [] };
}

function splitOption(word: string): { readonly form: string; readonly value: string | undefined } {
  const body = word.replace(/^--?/, "");
  const equals = body.indexOf("=");
  return equals < 0
    ? { form: body, value: undefined }
    : { form: body.slice(0, equals), value: body.slice(equals + 1) };
}

function findOption(options: readonly Option[], form: string): Option | undefined {
  return options.find(({ name, short }) => name === form || short === form);
}

function answerAt(
  { options, values, waiting, ended, positionals }: Walk,
  candidates: readonly Candidates[],
  question: Question,
): Answer {
  const { current } = question;
  if (waiting !== undefined) return select(waiting.values ?? [], question);
  if (ended || !current.startsWith("-")) {
    return select(candidates[positionals.length] ?? [], question);
  }
  const { form, value } = splitOption(current);
  if (value === undefined) {
    const words = options
      .filter(({ hidden, name, kind }) => {
        const again = kind === "texts" || kind === "integers";
        return hidden !== true && (again || !values.has(name));
      })
      .map(({ name, usage }) => ({ word: `--${name}`, about: usage }));
    return startingWith(current, words);
  }
  const prefix = current.slice(0, current.length - value.length);
  const answer = select(findOption(options, form)?.values ?? [], { ...question, current: value });
  return typeof answer === "string"
    ? answer
    : answer.map(({ word, about }) => ({ word: `${prefix}${word}`, about }));
}

function select(candidates: Candidates, { current, root, containers }: Question): Answer {
  switch (candidates) {
    case "files":
    case "directories":
      return candidates;
    case "commands": {
      const words = [...allCommands(), helpCommand].map(({ name, usage }) => ({
        word: name,
        about: usage,
      }));
      return startingWith(current, words);
    }
    case "capabilities":
      return startingWith(current, capabilityNames.map(plain));
    case "signals":
      return startingWith(current, signalNames(current).map(plain));
    default: {
      const words =
        "containers" in candidates ? containers(root, candidates.containers) : candidates;
      return startingWith(current, words.map(plain));
    }
  }
}

function startingWith(current: string, words: readonly Word[]): readonly Word[] {
  return words.filter(({ word }) => word.startsWith(current));
}

function plain(word: string): Word {
  return { word, about: "" };
}

/** As it is being typed: with SIG or without. */
function signalNames(current: string): readonly string[] {
  const names = Object.keys(signals);
  return current.startsWith("S") ? names : names.map((name) => name.replace("SIG", ""));
}

function findContainers(root: string | undefined, statuses: readonly Status[]): readonly string[] {
  try {
    return (listContainers({ root: findRoot(root) }) ?? [])
      .filter(({ status }) => statuses.includes(status))
      .map(({ id }) => id);
  } catch (error) {
    if (error instanceof FaultError) return [];
    throw error;
  }
}
