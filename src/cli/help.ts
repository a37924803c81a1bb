// Help texts, made by yargs from the table; loaded only for them, for that takes longer than the commands.

import type { Yargs, YargsOption } from "yargs";
import type { Command, Example } from "./command.ts";
import { isTerminal } from "./log.ts";
import { programDescription, programExamples, programSummary } from "./manual.ts";
import type { Option } from "./options.ts";
import { print } from "./output.ts";
import { allCommands, globalOptions, helpCommand } from "./table.ts";
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
  const head = `NAME:
   ts-runc - ${programSummary}

${indent(programDescription)}

USAGE:
   ts-runc [global options] command [command options] [arguments...]

VERSION:
${indent(versionText().trimEnd())}

EXAMPLES:
${programExamples.map(showExample).join("\n\n")}

   "ts-runc COMMAND --help" has more of them.`;
  const titles = { "Commands:": "COMMANDS:", "Options:": "GLOBAL OPTIONS:" };
  const program = listCommands((await start()).updateStrings(titles));
  return `${head}\n\n${await addOptions(program, globalOptions).getHelp()}`;
}

function listCommands(program: Yargs): Yargs {
  return [...allCommands(), helpCommand].reduce(
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
${indent(`ts-runc ${name}${shown} ${argumentsUsage}`.trimEnd())}

DESCRIPTION:
${indent(command.description)}

EXAMPLES:
${command.examples.map(showExample).join("\n\n")}`;
  const program = (await start()).updateStrings({ "Options:": "OPTIONS:" });
  return `${head}\n\n${await addOptions(program, options).getHelp()}`.trimEnd();
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "   ");
}

function showExample({ does, line }: Example): string {
  return `   ${does}:\n\n       # ${line}`;
}

const widthMin = 60;
const widthMax = 110;

/** Lines are broken for a person only: a program finds an option on one line. */
function lineWidth(): number | null {
  const { columns } = process.stdout;
  return isTerminal(1) && columns >= widthMin ? Math.min(columns, widthMax) : null;
}

/**
 * yargs without its own --help and --version, and without the locale that it looks for. It takes settings from a
 * package.json in or above the directory in which it is loaded, which is somebody's bundle: so we go elsewhere first.
 */
async function start(): Promise<Yargs> {
  process.chdir("/");
  const { default: yargs } = await import("yargs");
  return (
    yargs([])
      .scriptName("")
      // Given here, the texts around the tables would lose their indentation where lines are broken.
      .usage(null)
      .locale("en")
      .wrap(lineWidth())
      .help(false)
      .version(false)
      .exitProcess(false)
  );
}

function addOptions(program: Yargs, options: readonly Option[]): Yargs {
  return options.reduce((all, option) => all.option(option.name, describe(option)), program);
}

function describe({ short, kind, fallback, usage, hidden }: Option): YargsOption {
  return {
    ...(short === undefined ? {} : { alias: short }),
    ...(kind === "flag" ? { boolean: true } : {}),
    ...(kind === "text" || kind === "duration" ? { string: true, requiresArg: true } : {}),
    ...(kind === "integer" ? { number: true, requiresArg: true } : {}),
    ...(kind === "texts" || kind === "integers" ? { array: true, requiresArg: true } : {}),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(hidden === undefined ? {} : { hidden }),
    describe: usage,
  };
}
