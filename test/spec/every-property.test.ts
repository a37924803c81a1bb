// Every property of the schemas with a value of another type: the error names the property, the rule and the value.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { validateConfig } from "../../src/spec/validate.ts";
import { schemaProperties } from "../support/schema-properties.ts";
import { catchFault } from "./catch-fault.ts";
import { makeConfig } from "./config-builder.ts";

const test = suite("spec/every-property");

/** A value of none of the schema's types but this one's opposite. */
function wrongFor(type: string | undefined): unknown {
  return type === "string" ? 17 : "wrong";
}

/** Puts the value at the path, in the first entry of each list on the way. */
function put(node: unknown, names: readonly string[], value: unknown): unknown {
  const [name = "", ...rest] = names;
  const isList = name.endsWith("[]");
  const key = isList ? name.slice(0, -2) : name;
  const own = typeof node === "object" && node !== null ? node : {};
  const inner = Object.entries(own).find(([other]) => other === key)?.[1];
  if (rest.length === 0) return { ...own, [key]: value };
  const first = Array.isArray(inner) ? inner[0] : inner;
  const changed = put(first, rest, value);
  return { ...own, [key]: isList ? [changed] : changed };
}

test("each of them is named with its rule and the value", () => {
  const properties = schemaProperties().filter(({ type }) => type !== undefined);
  assert.ok(properties.length > 180, `${properties.length} properties`);
  for (const { path, type } of properties) {
    const value = wrongFor(type);
    const config = put(makeConfig(), path.split("."), value);
    const fault = catchFault(() => validateConfig(config))?.fault;
    assert.is(fault?.kind, "invalid", path);
    if (fault?.kind !== "invalid") continue;
    const pointer = `/${path.replaceAll("[]", "/0").replaceAll(".", "/")}`;
    const own = fault.violations.find((violation) => violation.pointer === pointer);
    assert.ok(own !== undefined, `${path}: ${JSON.stringify(fault.violations)}`);
    assert.match(own.message, /^must (be|match) /, path);
    assert.match(own.message, `got ${JSON.stringify(value)}`, path);
  }
});

test.run();
