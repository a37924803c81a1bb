// The table of what a schema says to each document of the corpus; it decides nothing itself.

import { createHash } from "node:crypto";
import type { CorpusDocument } from "./corpus.ts";

export type Verdict = (document: CorpusDocument) => boolean;

/**
 * Prints a line for each document, `POINTER <tab> MUTATION <tab> VERDICT`, below a line for the valid document that they were made
 * from, which carries a digest of their texts. The verdict is 1 for a document that the schema accepts.
 */
export function printVerdicts(corpus: Iterable<CorpusDocument>, verdict: Verdict): string {
  const groups = Map.groupBy(corpus, ({ schema, base }) => `${schema}\t${base}`);
  const lines: string[] = [];
  for (const [name, documents] of groups) {
    const digest = createHash("sha256");
    for (const { value } of documents) digest.update(`${JSON.stringify(value)}\n`);
    lines.push(`# ${name}\t${digest.digest("hex").slice(0, 16)}`);
    for (const document of documents) {
      lines.push(`${document.pointer}\t${document.mutation}\t${verdict(document) ? 1 : 0}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The first line in which two tables differ, or undefined. */
export function firstDifference(left: string, right: string): string | undefined {
  const [lines, others] = [left.split("\n"), right.split("\n")];
  const count = Math.max(lines.length, others.length);
  for (let index = 0; index < count; index += 1) {
    if (lines[index] !== others[index]) {
      return `line ${index + 1}: ${lines[index] ?? "(end)"} | ${others[index] ?? "(end)"}`;
    }
  }
  return undefined;
}
