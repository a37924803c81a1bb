// What the schemas of config.json know: every property by its path, with the type that it has to have.

import { join } from "node:path";
import { isSchemaDocument, readSchemas } from "../../schemas/read-schemas.ts";
import { root } from "./source-tree.ts";

export type SchemaProperty = {
  /** `linux.devices[].path` */
  readonly path: string;
  /** The schema's type; undefined where it has none of its own. */
  readonly type: string | undefined;
};

const platforms = /^(windows|solaris|vm|zos|freebsd)$/;

/** Walks the schemas; other platforms' sections are one property each. */
export function schemaProperties(): readonly SchemaProperty[] {
  const schemas = readSchemas(join(root, "schemas"));
  const found = new Map<string, string | undefined>();
  const visit = (node: unknown, file: string, path: string): void => {
    if (!isSchemaDocument(node)) return;
    const { $ref: reference, items, properties, type } = node;
    if (typeof type === "string" && path !== "" && !path.endsWith("[]")) found.set(path, type);
    if (typeof reference === "string") {
      const [name = "", pointer = ""] = reference.split("#");
      const target = name === "" ? file : name;
      visit(resolve(schemas.get(target), pointer), target, path);
    }
    for (const all of [node["allOf"], node["anyOf"], node["oneOf"]]) {
      if (Array.isArray(all)) for (const one of all) visit(one, file, path);
    }
    visit(items, file, `${path}[]`);
    for (const [name, member] of Object.entries(isSchemaDocument(properties) ? properties : {})) {
      const inner = path === "" ? name : `${path}.${name}`;
      if (!found.has(inner)) found.set(inner, undefined);
      if (!platforms.test(inner)) visit(member, file, inner);
    }
  };
  visit(schemas.get("config-schema.json"), "config-schema.json", "");
  return [...found].map(([path, type]) => ({ path, type }));
}

function resolve(document: unknown, pointer: string): unknown {
  let node = document;
  for (const part of pointer.split("/").filter((name) => name !== "")) {
    node = isSchemaDocument(node) ? node[part] : undefined;
  }
  return node;
}
