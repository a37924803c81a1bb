// A folder of runtime-spec schemas, and the one set of ajv options that both ours and the published ones are read with.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv-draft-04";

export type SchemaDocument = Readonly<Record<string, unknown>>;

/** Reads every schema of a folder, by file name, which is also its id. */
export function readSchemas(folder: string): ReadonlyMap<string, SchemaDocument> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return new Map(names.sort().map((name) => [name, readSchema(join(folder, name))]));
}

function readSchema(path: string): SchemaDocument {
  const value: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (!isSchemaDocument(value)) throw new Error(`${path} is not a schema`);
  return value;
}

/** Whether a value is an object, as schemas and the maps within them are. */
export function isSchemaDocument(value: unknown): value is SchemaDocument {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * An ajv that knows `schemas`; with `standalone`, one whose validators can be written out as code.
 *
 * @param options.allErrors whether a validator goes on after the first error; it does unless told otherwise
 */
export function createAjv({
  schemas,
  standalone,
  allErrors = true,
}: {
  readonly schemas: ReadonlyMap<string, SchemaDocument>;
  readonly standalone: boolean;
  readonly allErrors?: boolean;
}): Ajv {
  // The schemas keep their definitions below keywords of their own ("linux"), which strict mode does not know.
  const ajv = new Ajv({
    allErrors,
    strict: false,
    messages: false,
    ...(standalone ? { code: { source: true, esm: true, lines: false, optimize: 2 } } : {}),
  });
  for (const [name, schema] of schemas) ajv.addSchema({ ...schema }, name);
  return ajv;
}
