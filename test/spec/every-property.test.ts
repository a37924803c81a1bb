// Every property of the schemas with a value of another type, and beyond each of its limits: the error names the property, the rule
// and the value.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { validateConfig } from "../../src/spec/validate.ts";
import {
  fullConfig,
  pointerTo,
  schemaProperties,
  type WrongValue,
  withValue,
  wrongValues,
} from "../support/schema-properties.ts";
import { catchFault } from "./catch-fault.ts";

const test = suite("spec/every-property");

const full = fullConfig();

function expectNamed(wrong: WrongValue): void {
  const { path, value } = wrong;
  const what = `${path}: ${JSON.stringify(value)}`;
  const fault = catchFault(() => validateConfig(withValue(full, wrong)))?.fault;
  assert.is(fault?.kind, "invalid", what);
  if (fault?.kind !== "invalid") return;
  // A value of another type is none of an enum's values either.
  for (const { pointer, message } of fault.violations) {
    assert.is(pointer, pointerTo(path), what);
    assert.match(message, /^must (be|match|have) /, what);
    assert.match(message, `got ${JSON.stringify(value)}`, what);
  }
}

test("each of them is named with its rule and the value", () => {
  const wrong = wrongValues();
  for (const one of wrong) expectNamed(one);
  assert.ok(wrong.length > 250, `${wrong.length} values`);
  // None has been passed over.
  const tried = new Set(wrong.map(({ path }) => path));
  const typed = schemaProperties().filter(({ type }) => type !== undefined);
  assert.ok(typed.length > 180, `${typed.length} properties`);
  assert.equal(
    typed.filter(({ path }) => !tried.has(path)),
    [],
  );
});

test.run();
