// Words what the generated schema validators found; the rules that the schemas do not have are in rules/.

import type { SchemaError } from "../../build/validators.js";
import type { Violation } from "../base/fault.ts";
import { show } from "./rules/rule.ts";

/** The schema's findings as violations of `document`. */
export function wordSchemaErrors(
  errors: readonly SchemaError[],
  document: unknown,
): readonly Violation[] {
  return errors.map((error) => ({
    pointer: error.instancePath,
    message: wordSchemaError(error, valueAt(document, error.instancePath)),
  }));
}

function wordSchemaError({ keyword, params }: SchemaError, value: unknown): string {
  const got = `got ${show(value)}`;
  switch (keyword) {
    case "type":
      return isInexactInteger(value)
        ? `${value.inexactInteger} cannot be held exactly`
        : `must be ${withArticle(String(params["type"]))}, ${got}`;
    case "required":
      return `must have the property ${show(params["missingProperty"])}`;
    case "enum":
      return `must be one of ${listValues(params["allowedValues"])}, ${got}`;
    case "pattern":
      return `must match ${String(params["pattern"])}, ${got}`;
    case "minimum":
    case "maximum":
      return `must be ${String(params["comparison"])} ${String(params["limit"])}, ${got}`;
    case "minItems":
      return `must have at least ${String(params["limit"])} entries, ${got}`;
    default:
      return `breaks the rule "${keyword}", ${got}`;
  }
}

/** The value at a JSON pointer; undefined where there is none. */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const part of pointer.split("/").slice(1)) {
    if (typeof value !== "object" || value === null) return undefined;
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    value = Object.getOwnPropertyDescriptor(value, key)?.value;
  }
  return value;
}

function isInexactInteger(value: unknown): value is { readonly inexactInteger: string } {
  return typeof value === "object" && value !== null && "inexactInteger" in value;
}

function withArticle(type: string): string {
  return /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`;
}

function listValues(values: unknown): string {
  return Array.isArray(values) ? values.join(", ") : String(values);
}
