// Help texts, made by yargs from the table; loaded only for them, for that takes longer than the commands.

import type { Yargs, YargsOption } from "yargs";
import type { Command, Example } from "./command.ts";
import { programDescription, programSummary } from "./manual.ts";
import type { Option } from "./options.ts";
import { print } from "./output.ts";
import { commands, globalOptions, helpCommand } from "./table.ts";
import { versionText } from "./version.ts";

/** Prints the help of the program or of one command, below `headline` where something was wrong. */
export async function printHelp(options: {
  readonly command: Command | undefined;
  readonly headline: string | undefined;
}): Promise<void> {
  const { command, headline } = options;
  const text = command === undefined ? await programHelp() : await commandHelp(command);
  print(`${headline === undefined ? "" : `${headline}\n\n`}${text}\n`);
}

async function programHelp(): Promise<string> {
  const version = versionText().trimEnd();
  const head = `NAME:
   ts-runc - ${programSummary}

${programDescription}

USAGE:
   ts-runc [global options] command [command options] [arguments...]

VERSION:
   ${version}`;
  const titles = { "Commands:": "COMMANDS:", "Options:": "GLOBAL OPTIONS:" };
  const program = listCommands((await start()).usage(head).updateStrings(titles));
  return await addOptions(program, globalOptions).getHelp();
}

function listCommands(program: Yargs): Yargs {
  return [...commands, helpCommand].reduce(
    (all, { name, usage }) => all.command(name, usage),
    program,
  );
}

async function commandHelp(command: Command): Promise<string> {
  const { name, usage, options, argumentsUsage } = command;
  const shown = options.some(({ hidden }) => hidden !== true) ? " [command options]" : "";
  const head = `NAME:
   ts-runc ${name} - ${usage}

USAGE:
   ts-runc ${name}${shown} ${argumentsUsage}

DESCRIPTION:
   ${command.description}

EXAMPLES:
${command.examples.map(showExample).join("\n\n")}`;
  const program = (await start()).usage(head).updateStrings({ "Options:": "OPTIONS:" });
  return await addOptions(program, options).getHelp();
}

function showExample({ does, line }: Example): string {
  return `   ${does}:\n\n       # ${line}`;
}

/**
 * yargs without its own --help and --version, and without what it looks for outside: locale, width of the terminal. It
 * takes settings from a package.json in or above the directory in which it is loaded, which is somebody's bundle: so we
 * go elsewhere first.
 */
async function start(): Promise<Yargs> {
  process.chdir("/");
  const { default: yargs } = await import("yargs");
  return yargs([])
    .scriptName("")
    .locale("en")
    .wrap(null)
    .help(false)
    .version(false)
    .exitProcess(false);
}

function addOptions(program: Yargs, options: readonly Option[]): Yargs {
  return options.reduce((all, option) => all.option(option.name, describe(option)), program);
}

function describe({ short, kind, fallback, usage, hidden }: Option): YargsOption {
  return {
    ...(short === undefined ? {} : { alias: short }),
    ...(kind === "flag" ? { boolean: true } : {}),
    ...(kind === "text" ? { string: true, requiresArg: true } : {}),
    ...(kind === "integer" ? { number: true, requiresArg: true } : {}),
    ...(kind === "texts" || kind === "integers" ? { array: true, requiresArg: true } : {}),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(hidden === undefined ? {} : { hidden }),
    describe: usage,
  };
}
