// Makes the man pages from the table of commands: ts-runc.8 and one page a command; the build writes them to dist/man.

import packageJson from "../package.json";
import type { Command, Example } from "../src/cli/command.ts";
import {
  environment,
  exitStatuses,
  files,
  programDescription,
  programExamples,
  programSummary,
} from "../src/cli/manual.ts";
import { helpOption, type Option } from "../src/cli/options.ts";
import { allCommands, globalOptions } from "../src/cli/table.ts";

/** A page by the name of its file, in roff with the man(7) macros. */
export type ManPage = { readonly name: string; readonly text: string };

/** Makes all pages; `date` is what stands at their foot. */
export function makeManPages(date: string): readonly ManPage[] {
  return [programPage(date), ...allCommands().map((command) => commandPage(command, date))];
}

function programPage(date: string): ManPage {
  const list = allCommands().map(({ name, usage }) => ({
    term: `\\fB${pageOf(name)}\\fR(8)`,
    about: usage,
  }));
  return page("ts-runc", date, [
    section("NAME", `ts-runc \\- ${roff(programSummary)}`),
    section(
      "SYNOPSIS",
      "\\fBts\\-runc\\fR [\\fIglobal options\\fR] \\fIcommand\\fR [\\fIcommand options\\fR] [\\fIarguments\\fR]",
    ),
    section("DESCRIPTION", paragraphs(programDescription)),
    section("COMMANDS", terms(list)),
    section("GLOBAL OPTIONS", terms(globalOptions.map(describeOption))),
    section("EXIT STATUS", entries(exitStatuses)),
    section("ENVIRONMENT", entries(environment)),
    section("FILES", entries(files)),
    section("EXAMPLES", examples(programExamples)),
    section(
      "SEE ALSO",
      "\\fBrunc\\fR(8), \\fBcrun\\fR(1), \\fBnamespaces\\fR(7), \\fBcgroups\\fR(7)",
    ),
  ]);
}

function commandPage(command: Command, date: string): ManPage {
  const { name, usage, argumentsUsage, description } = command;
  const [synopsis = "", ...about] = argumentsUsage.split("\n");
  const options = [...command.options, helpOption].filter(({ hidden }) => hidden !== true);
  return page(`ts-runc-${name}`, date, [
    section("NAME", `${pageOf(name)} \\- ${roff(usage)}`),
    section(
      "SYNOPSIS",
      `\\fBts\\-runc ${roff(name)}\\fR [\\fIoptions\\fR] ${roff(synopsis)}`.trimEnd(),
    ),
    section("DESCRIPTION", `${paragraphs(description)}\n${paragraphs(about.join("\n"))}`),
    section("OPTIONS", terms(options.map(describeOption))),
    section("EXAMPLES", examples(command.examples)),
    section("SEE ALSO", "\\fBts\\-runc\\fR(8)"),
  ]);
}

function page(name: string, date: string, sections: readonly string[]): ManPage {
  const title = roff(name.toUpperCase());
  const head = `.TH ${title} 8 ${date} "ts\\-runc ${packageJson.version}" "System Administration"`;
  const text = [head, ...sections].join("\n").replace(/\n{2,}/g, "\n");
  return { name: `${name}.8`, text: `${text.trimEnd()}\n` };
}

function section(title: string, body: string): string {
  // A section begins a paragraph by itself.
  return `.SH ${title}\n${body.replace(/^\.PP\n/, "")}`;
}

function pageOf(command: string): string {
  return roff(`ts-runc-${command}`);
}

/** Paragraphs are filled; lines that are all indented stay as they are. */
function paragraphs(text: string): string {
  return text
    .split(/\n\s*\n/)
    .filter((block) => block.trim() !== "")
    .map((block) =>
      /^( {4,}.*\n?)+$/.test(block) ? verbatim(block) : `.PP\n${roff(block.trim())}`,
    )
    .join("\n");
}

function verbatim(block: string): string {
  const lines = block.split("\n").map((line) => roff(line.trimStart()));
  return `.PP\n.RS 4\n.nf\n${lines.join("\n")}\n.fi\n.RE`;
}

function terms(list: readonly { readonly term: string; readonly about: string }[]): string {
  return list.map(({ term, about }) => `.TP\n${term}\n${roff(about)}`).join("\n");
}

function entries(list: readonly (readonly [name: string, about: string])[]): string {
  return terms(list.map(([name, about]) => ({ term: `\\fB${roff(name)}\\fR`, about })));
}

function examples(list: readonly Example[]): string {
  return list
    .map(({ does, line }) => `.PP\n${roff(sentence(does))}:\n${verbatim(`# ${line}`)}`)
    .join("\n");
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

function describeOption(option: Option): { readonly term: string; readonly about: string } {
  const { name, short, kind, fallback, usage } = option;
  const value = kind === "flag" ? "" : ` \\fI${roff(valueName(option))}\\fR`;
  const forms = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
  const again = kind === "texts" || kind === "integers" ? " (can be given more than once)" : "";
  const otherwise = fallback === undefined || fallback === "" ? "" : ` (default: ${fallback})`;
  return {
    term: forms.map((form) => `\\fB${roff(form)}\\fR`).join(", ") + value,
    about: `${usage}${again}${otherwise}`,
  };
}

function valueName({ kind, values }: Option): string {
  if (values === "files") return "path";
  if (values === "directories") return "directory";
  if (Array.isArray(values)) return values.join("|");
  return kind === "integer" || kind === "integers" ? "number" : "value";
}

/** Text as roff has to read it to show it unchanged. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replace(/^\./gm, "\\&.");
}
