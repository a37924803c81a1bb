// The tables of docs/conformance.md, from the demands, the tests, the list of differences and the verdicts of the last run.

import { readFileSync } from "node:fs";
import { type Difference, differences, type RuntimeName, runtimeNames } from "./differences.ts";
import { type Demand, isBinding } from "./spec/demand.ts";
import { demands } from "./spec/demands.ts";
import { tests } from "./spec/tests.ts";

export type Results = {
  readonly date: string;
  readonly kernel: string;
  readonly runtimes: Readonly<
    Record<
      RuntimeName,
      { readonly version: string; readonly verdicts: Readonly<Record<string, string>> }
    >
  >;
};

const begin = "<!-- written by conformance/table.ts from here";
const end = "<!-- to here -->";

/** Reads what the last run has found. */
export function readResults(path: string): Results {
  const results: Results = JSON.parse(readFileSync(path, "utf8"));
  return results;
}

/** The document with its tables made anew. */
export function withTables(document: string, results: Results): string {
  const from = document.indexOf("\n", document.indexOf(begin));
  const to = document.indexOf(end);
  if (from === -1 || to < from) throw new Error("docs/conformance.md has lost its marks");
  const parts = [summary(results), failures(), table(results)];
  return `${document.slice(0, from)}\n\n${parts.join("\n\n")}\n\n${document.slice(to)}`;
}

function verdictOf(results: Results, name: RuntimeName, id: string): string {
  return results.runtimes[name].verdicts[id] ?? "";
}

function summary(results: Results): string {
  const rows = runtimeNames.map((name) => {
    const verdicts = Object.entries(results.runtimes[name].verdicts);
    const count = (wanted: string) => verdicts.filter(([, verdict]) => verdict === wanted).length;
    const failed = demands.filter(({ id }) => verdictOf(results, name, id) === "fail");
    const binding = failed.filter(isBinding).length;
    const { version } = results.runtimes[name];
    return `| ${name} (\`--version\`: ${version}) | ${count("pass")} | ${count("fail")} | ${binding} | ${count("skip")} |`;
  });
  const tested = demands.filter(({ id }) => tests[id] !== undefined).length;
  return [
    `${demands.length} demands, ${tested} tests. Run on ${results.date}, Linux ${results.kernel}:`,
    "",
    "| runtime | pass | fail | of these more than SHOULD | skipped |",
    "| --- | ---: | ---: | ---: | ---: |",
    ...rows,
  ].join("\n");
}

/** Failures by runtime and reason. */
function failures(): string {
  const sections = runtimeNames.map((name) => {
    const byReason = new Map<string, string[]>();
    for (const [id, { kind, why }] of Object.entries<Difference>(differences[name])) {
      const reason = `${kind} | ${why}`;
      byReason.set(reason, [...(byReason.get(reason) ?? []), `\`${id}\``]);
    }
    const rows = [...byReason].map(([reason, ids]) => `| ${reason} | ${ids.join(", ")} |`);
    const head = ["| about | reason | tests |", "| --- | --- | --- |"];
    return [`### What ${name} fails`, "", ...head, ...rows].join("\n");
  });
  return sections.join("\n\n");
}

function table(results: Results): string {
  const documents = [...new Set(demands.map(({ document }) => document))];
  const sections = documents.map((document) => {
    const rows = demands
      .filter((demand) => demand.document === document)
      .map((demand) => rowOf(demand, results));
    const names = runtimeNames.join(" | ");
    const head = [
      `| section | level | demand | test | ${names} |`,
      "| --- | --- | --- | --- | --- | --- | --- |",
    ];
    return [`### ${document}`, "", ...head, ...rows].join("\n");
  });
  return ["## Every demand", ...sections].join("\n\n");
}

function rowOf(demand: Demand, results: Results): string {
  const { id, section, level, says, untested } = demand;
  const front = `| ${section} | ${level} | ${says}`;
  if (untested !== undefined) return `${front} | none: ${untested} | | | |`;
  const verdicts = runtimeNames.map((name) => verdictOf(results, name, id));
  return `${front} | \`${id}\` | ${verdicts.join(" | ")} |`;
}
