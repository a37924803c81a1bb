// Every property of the schemas with a value of another type, and beyond each of its limits: the error names the property, the rule
// and the value.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { validateConfig } from "../../src/spec/validate.ts";
import {
  pointerTo,
  schemaProperties,
  type WrongValue,
  withValue,
  wrongValues,
} from "../support/schema-properties.ts";
import { catchFault } from "./catch-fault.ts";
import { makeConfig } from "./config-builder.ts";

const test = suite("spec/every-property");

function expectNamed(wrong: WrongValue): void {
  const { path, value } = wrong;
  const what = `${path}: ${JSON.stringify(value)}`;
  const fault = catchFault(() => validateConfig(withValue(makeConfig(), wrong)))?.fault;
  assert.is(fault?.kind, "invalid", what);
  if (fault?.kind !== "invalid") return;
  const own = fault.violations.find((violation) => violation.pointer === pointerTo(path));
  assert.ok(own !== undefined, `${what}: ${JSON.stringify(fault.violations)}`);
  assert.match(own.message, /^must (be|match|have) /, what);
  assert.match(own.message, `got ${JSON.stringify(value)}`, what);
}

test("each of them is named with its rule and the value", () => {
  // Of a file's mode the schema has the permissions only; with its type it is taken (docs/compatibility.md).
  const isTaken = ({ path, value }: WrongValue): boolean =>
    path === "linux.devices[].fileMode" && value === 0o1000;
  const wrong = wrongValues().filter((one) => !isTaken(one));
  for (const one of wrong) expectNamed(one);
  expectNamed({ path: "linux.devices[].fileMode", value: 0o200_000 });
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
