// Hints after common mistakes, for a person at a terminal; never a part of the error, which callers read. Loaded only when
// something has gone wrong and standard error is a terminal.

import { closestMatch } from "leven";
import { signals } from "../abi/process.ts";
import { FaultError } from "../base/fault.ts";
import { listContainerIds } from "../container/store.ts";
import { execute } from "../ffi/execute.ts";
import { geteuid } from "../syscall/processes.ts";
import type { Command } from "./command.ts";
import { helpOption, type Option } from "./options.ts";
import { quote } from "./quote.ts";
import { allCommands, globalOptions, helpCommand } from "./table.ts";

/** What went wrong, and what was typed. */
export type Trouble = {
  /** The error as it was logged. */
  readonly message: string;
  /** What follows the program's name. */
  readonly argv: readonly string[];
  readonly command?: Command | undefined;
  /** The state root, where it is known already. */
  readonly root?: string | undefined;
};

type Rule = {
  readonly on: RegExp;
  readonly hint: (found: readonly string[], trouble: Trouble) => string | undefined;
};

/** The first that matches counts. */
const rules: readonly Rule[] = [
  { on: /^No help topic for '(.*)'$/, hint: ([name = ""]) => hintCommand(name) },
  {
    on: /^flag provided but not defined: -(.*)$/,
    hint: ([form = ""], trouble) => hintOption(form, trouble),
  },
  { on: /requires .* argument\(s\)$/, hint: (_, trouble) => hintCount(trouble) },
  {
    on: /config\.json not found$/,
    hint: () => `${say("spec")} writes one; --bundle names the directory where it is`,
  },
  {
    on: /: chdir .*no such file or directory$/,
    hint: () => "--bundle names the directory where config.json is",
  },
  { on: /container does not exist$/, hint: (_, trouble) => hintId(trouble) },
  {
    on: /container with given ID already exists$/,
    hint: () => `${say("list")} shows it, ${say("delete ID")} removes it once it has stopped`,
  },
  {
    on: /cannot delete container (\S+) that is not stopped/,
    hint: ([id = ""]) => `${say(`delete --force ${id}`)} kills it first`,
  },
  {
    on: /cannot start a container that has stopped$/,
    hint: () => `a container runs once: ${say("delete")} it and ${say("run")} a new one`,
  },
  {
    on: /cannot exec in a stopped container$/,
    hint: () => `${say("list")} shows which containers run`,
  },
  { on: /\(use --ignore-paused to override\)$/, hint: () => `${say("resume ID")} lets it go on` },
  { on: /unknown signal "(.*)"$/, hint: ([given = ""]) => hintSignal(given) },
  {
    on: /invalid container ID format$/,
    hint: () => "an id is made of letters, digits and _ + - .",
  },
  { on: /invalid format option$/, hint: () => "--format takes table or json" },
  { on: /^invalid log-format/, hint: () => "--log-format takes text or json" },
  {
    on: /cannot allocate tty if runc will detach without setting console socket$/,
    hint: () => 'give --console-socket, or set process.terminal to false in "config.json"',
  },
  {
    on: /executable file not found in \$PATH$/,
    hint: () =>
      "the program has to be in the container's root file system, on the PATH of process.env",
  },
  {
    on: /rootfs \(.*\) does not exist$/,
    hint: () => 'root.path in "config.json" names the directory with the files of the container',
  },
  {
    on: /operation not permitted|permission denied/,
    hint: () => (execute(geteuid()) === 0 ? undefined : "making containers needs root"),
  },
];

/** Words of engines for what is called otherwise here. */
const otherWords: ReadonlyMap<string, string> = new Map([
  ["ls", "list"],
  ["rm", "delete"],
  ["remove", "delete"],
  ["stop", "kill"],
  ["inspect", "state"],
  ["status", "state"],
  ["top", "ps"],
  ["unpause", "resume"],
  ["stats", "events"],
  ["info", "features"],
  ["version", "--version"],
]);

/** Finds what may help a person after an error; undefined where nothing is known that the error does not say. */
export function findHint(trouble: Trouble): string | undefined {
  for (const { on, hint } of rules) {
    const found = on.exec(trouble.message.trimEnd());
    if (found !== null) return hint(found.slice(1), trouble);
  }
  return undefined;
}

function say(line: string): string {
  return quote(`ts-runc ${line}`);
}

function hintCommand(name: string): string {
  const names = [...allCommands(), helpCommand].map((command) => command.name);
  const other = otherWords.get(name);
  const known = other !== undefined && (other.startsWith("-") || names.includes(other));
  const meant = known ? other : closest(name, names);
  const list = `${say("--help")} lists the commands`;
  return meant === undefined ? list : `did you mean ${quote(meant)}? ${list}`;
}

/** An option that is not there is one of the other side of the command, or misspelt. */
function hintOption(form: string, { command }: Trouble): string {
  const has = (options: readonly Option[]): boolean =>
    options.some(({ name, short }) => name === form || short === form);
  const dashed = form.length > 1 ? `--${form}` : `-${form}`;
  const own = command === undefined ? globalOptions : [...command.options, helpOption];
  if (command !== undefined && has(globalOptions)) {
    return `${dashed} is a global option: it stands before ${quote(command.name)}`;
  }
  if (command === undefined) {
    const owners = allCommands()
      .filter(({ options }) => has(options))
      .map(({ name }) => name);
    if (owners.length > 0) return `${dashed} stands behind the command: ${owners.join(", ")}`;
  }
  const meant = closest(
    form,
    own.filter(({ hidden }) => hidden !== true).map(({ name }) => name),
  );
  const list = `${say(command === undefined ? "--help" : `${command.name} --help`)} lists the options`;
  return meant === undefined ? list : `did you mean --${meant}? ${list}`;
}

/** Among too many words are those that are taken for options, and are not. */
function hintCount({ argv, command }: Trouble): string | undefined {
  if (command === undefined) return undefined;
  const words = argv.slice(argv.indexOf(command.name) + 1);
  const first = words.findIndex((word) => !word.startsWith("-"));
  const late = first < 0 ? undefined : words.slice(first + 1).find((word) => /^-./.test(word));
  return late === undefined
    ? `${say(`${command.name} --help`)} says what it takes`
    : `${late} is not an option of ${quote(command.name)}`;
}

function hintId({ argv, root }: Trouble): string {
  const ids = root === undefined ? [] : containerIds(root);
  const list = `${say(`--root ${root} list`)} shows the containers that there are`;
  for (const word of argv) {
    const meant = closest(word, ids);
    if (meant !== undefined) return `did you mean ${quote(meant)}? ${list}`;
  }
  return ids.length === 0 ? `there are no containers in ${root}; --root names another place` : list;
}

function containerIds(root: string): readonly string[] {
  try {
    return listContainerIds(root) ?? [];
  } catch (error) {
    if (error instanceof FaultError) return [];
    throw error;
  }
}

function hintSignal(given: string): string {
  const names = Object.keys(signals);
  const upper = given.toUpperCase();
  const meant = closest(upper.startsWith("SIG") ? upper : `SIG${upper}`, names);
  return meant === undefined ? '"kill -l" lists the signals' : `did you mean ${meant}?`;
}

/** The nearest of some words, if it is near: a third of the letters may be wrong. */
function closest(word: string, words: readonly string[]): string | undefined {
  const maxDistance = Math.max(1, Math.floor(word.length / 3));
  return closestMatch(word, words, { maxDistance });
}
