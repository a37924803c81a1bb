// What the schemas of config.json know: every property by its path, with the type that it has to have.

import { join } from "node:path";
import { makeCorpus } from "../../schemas/corpus.ts";
import { isSchemaDocument, readSchemas } from "../../schemas/read-schemas.ts";
import { root } from "./source-tree.ts";

export type SchemaProperty = {
  /** `linux.devices[].path` */
  readonly path: string;
  /** The schema's type; undefined where it has none of its own. */
  readonly type: string | undefined;
};

/** A value that is not allowed at a path; entries of lists end in `[]`, members of maps in `{}`. */
export type WrongValue = { readonly path: string; readonly value: unknown };

const platforms = /^(windows|solaris|vm|zos|freebsd)$/;

/** Walks the schemas; other platforms' sections are one property each. */
export function schemaProperties(): readonly SchemaProperty[] {
  return [...walk().types].map(([path, type]) => ({ path, type }));
}

/**
 * For each property, and for entries of lists and members of maps, one value for every rule of the schema that breaks this one
 * alone.
 */
export function wrongValues(): readonly WrongValue[] {
  // Of a file's mode the schema has the permissions only; with its type it is taken (docs/compatibility.md).
  const path = "linux.devices[].fileMode";
  const wrong = walk().wrong.filter((one) => one.path !== path || one.value !== 0o1000);
  return [...wrong, { path, value: 0o200_000 }];
}

function walk(): {
  readonly types: ReadonlyMap<string, string | undefined>;
  readonly wrong: readonly WrongValue[];
} {
  const schemas = readSchemas(join(root, "schemas"));
  const found = new Map<string, string | undefined>();
  const wrong = new Map<string, WrongValue>();
  const visit = (node: unknown, file: string, path: string): void => {
    if (!isSchemaDocument(node)) return;
    const { $ref: reference, items, properties, type } = node;
    if (typeof type === "string" && isProperty(path)) found.set(path, type);
    for (const value of path === "" ? [] : breaking(node)) {
      wrong.set(JSON.stringify([path, value]), { path, value });
    }
    if (typeof reference === "string") {
      const [name = "", pointer = ""] = reference.split("#");
      const target = name === "" ? file : name;
      visit(resolve(schemas.get(target), pointer), target, path);
    }
    for (const all of [node["allOf"], node["anyOf"], node["oneOf"]]) {
      if (Array.isArray(all)) for (const one of all) visit(one, file, path);
    }
    visit(items, file, `${path}[]`);
    for (const member of [node["additionalProperties"], ...valuesOf(node["patternProperties"])]) {
      visit(member, file, `${path}{}`);
    }
    for (const [name, member] of Object.entries(isSchemaDocument(properties) ? properties : {})) {
      const inner = path === "" ? name : `${path}.${name}`;
      if (!found.has(inner) && isProperty(inner)) found.set(inner, undefined);
      if (!platforms.test(inner)) visit(member, file, inner);
    }
  };
  visit(schemas.get("config-schema.json"), "config-schema.json", "");
  return { types: found, wrong: [...wrong.values()] };
}

/** Whether a path is the document's own, and no entry, nor a part of what callers name as they like. */
function isProperty(path: string): boolean {
  return path !== "" && !path.endsWith("[]") && !path.includes("{}");
}

function valuesOf(node: unknown): readonly unknown[] {
  return isSchemaDocument(node) ? Object.values(node) : [];
}

function* breaking(node: Readonly<Record<string, unknown>>): Generator {
  const { type, enum: values, minimum, maximum, pattern, minItems } = node;
  // A value of another type, and of none that the schemas have for the same property.
  if (typeof type === "string") yield type === "string" ? 17 : "wrong";
  if (values !== undefined) yield "NO_SUCH_VALUE";
  if (typeof pattern === "string") yield "no match!";
  if (minItems !== undefined) yield [];
  // Others cannot be told from the limit itself.
  if (typeof minimum === "number" && Number.isSafeInteger(minimum)) yield minimum - 1;
  if (typeof maximum === "number" && Number.isSafeInteger(maximum)) yield maximum + 1;
}

/** A config that the schemas allow, with every property that they know. */
export function fullConfig(): unknown {
  for (const { value } of makeCorpus(readSchemas(join(root, "schemas")))) return value;
  throw new Error("the corpus is empty");
}

/** The member of maps that a path means. */
const anyMember = "any";

/** A config with a value at a path, in the first entry of each list on the way. */
export function withValue(config: unknown, { path, value }: WrongValue): unknown {
  return put(config, path.replaceAll("{}", `.${anyMember}`).split("."), value);
}

/** The JSON pointer to that place. */
export function pointerTo(path: string): string {
  return `/${path.replaceAll("[]", "/0").replaceAll("{}", `/${anyMember}`).replaceAll(".", "/")}`;
}

function put(node: unknown, names: readonly string[], value: unknown): unknown {
  const [name = "", ...rest] = names;
  const isList = name.endsWith("[]");
  const key = isList ? name.slice(0, -2) : name;
  const own = typeof node === "object" && node !== null ? node : {};
  const inner = Object.entries(own).find(([other]) => other === key)?.[1];
  if (rest.length === 0) return { ...own, [key]: isList ? [value] : value };
  const first = Array.isArray(inner) ? inner[0] : inner;
  const changed = put(first, rest, value);
  return { ...own, [key]: isList ? [changed] : changed };
}

function resolve(document: unknown, pointer: string): unknown {
  let node = document;
  for (const part of pointer.split("/").filter((name) => name !== "")) {
    node = isSchemaDocument(node) ? node[part] : undefined;
  }
  return node;
}
