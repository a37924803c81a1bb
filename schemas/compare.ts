// Compares our schemas with the published ones, verdict by verdict, and writes the table of verdicts.
//
//   scripts/bun schemas/compare.ts [--write] [folder of the published schemas]

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCorpus } from "./corpus.ts";
import { createAjv, readSchemas, type SchemaDocument } from "./read-schemas.ts";
import { firstDifference, printVerdicts, type Verdict } from "./verdicts.ts";

type Schemas = ReadonlyMap<string, SchemaDocument>;

/** The published schemas' table for the corpus of ours; the committed table is this one. */
export function publishedVerdicts(ours: Schemas, published: Schemas): string {
  return printVerdicts(makeCorpus(ours), verdictOf(published));
}

/**
 * What differs between two folders of schemas: files and definitions that ours lack, and the documents that the two
 * disagree about, of the corpus that ours describe and of the one that the published describe.
 */
export function findDifferences(ours: Schemas, published: Schemas): readonly string[] {
  const known = new Set(definitionNames(ours));
  const lacking = definitionNames(published).filter((name) => !known.has(name));
  const accepts = [ours, published].map(verdictOf);
  const disagreements = [ours, published]
    .flatMap((source) => [...makeCorpus(source)])
    .filter((document) => new Set(accepts.map((accept) => accept(document))).size > 1)
    .map(({ schema, base, pointer, mutation }) => `${schema} ${base} ${pointer} ${mutation}`);
  return [...lacking, ...disagreements];
}

function verdictOf(schemas: Schemas): Verdict {
  const ajv = createAjv({ schemas, standalone: false });
  const names = [...schemas.keys()].filter((name) => name.endsWith("-schema.json"));
  const validators = new Map(names.map((name) => [name, ajv.getSchema(name)]));
  return ({ schema, value }) => validators.get(schema)?.(value) === true;
}

function definitionNames(schemas: Schemas): readonly string[] {
  return [...schemas].flatMap(([file, schema]) => [
    file,
    ...Object.keys(schema["definitions"] ?? {}).map((name) => `${file}#/definitions/${name}`),
  ]);
}

function main(argv: readonly string[]): number {
  const folder = argv.find((argument) => argument !== "--write") ?? "../shared/oci-schemas";
  const ours = readSchemas(import.meta.dir);
  const published = readSchemas(folder);
  const differences = findDifferences(ours, published);
  for (const difference of differences) console.log(`differs: ${difference}`);
  const table = publishedVerdicts(ours, published);
  const path = join(import.meta.dir, "verdicts.tsv");
  if (argv.includes("--write")) writeFileSync(path, table);
  const stale = firstDifference(readFileSync(path, "utf8"), table);
  if (stale !== undefined) console.log(`verdicts.tsv differs: ${stale}`);
  const verdicts = table.split("\n").filter((line) => /\t[01]$/.test(line));
  const accepted = verdicts.filter((line) => line.endsWith("\t1")).length;
  console.log(`${verdicts.length} documents, ${accepted} accepted`);
  return differences.length > 0 || stale !== undefined ? 1 : 0;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
