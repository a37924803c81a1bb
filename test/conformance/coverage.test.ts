// The lists of conformance/ against each other: demands, tests, differences, the verdicts of the last run, the document.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mutate } from "../../conformance/build-mutants.ts";
import { differences, runtimeNames } from "../../conformance/differences.ts";
import { readResults, withTables } from "../../conformance/document.ts";
import { mutants } from "../../conformance/mutants.ts";
import { demands } from "../../conformance/spec/demands.ts";
import { tests } from "../../conformance/spec/tests.ts";
import { root } from "../support/source-tree.ts";

const test = suite("conformance/coverage");
const results = readResults(join(root, "conformance/results.json"));

test("no two demands have the same id", () => {
  const ids = demands.map(({ id }) => id);
  assert.equal(
    ids.filter((id, index) => ids.indexOf(id) !== index),
    [],
  );
});

test("every demand has a test, or else a reason why there is none", () => {
  const wrong = demands.filter(
    ({ id, untested }) => (tests[id] === undefined) === (untested === undefined),
  );
  assert.equal(
    wrong.map(({ id }) => id),
    [],
  );
});

test("every test is of a demand", () => {
  const ids = new Set(demands.map(({ id }) => id));
  assert.equal(
    Object.keys(tests).filter((id) => !ids.has(id)),
    [],
  );
});

test("the differences are of tests, and those that the last run has seen", () => {
  for (const name of runtimeNames) {
    const { verdicts } = results.runtimes[name];
    const failed = Object.keys(verdicts).filter((id) => verdicts[id] === "fail");
    const listed = Object.keys(differences[name]);
    assert.equal(
      failed.filter((id) => !listed.includes(id)),
      [],
      `${name}: not listed`,
    );
    // What the machine of the last run could not tell may be listed all the same.
    assert.equal(
      listed.filter((id) => tests[id] === undefined || verdicts[id] === "pass"),
      [],
      `${name}: listed in vain`,
    );
  }
});

test("the last run was one of all tests", () => {
  const ids = Object.keys(tests).sort();
  for (const name of runtimeNames) {
    assert.equal(Object.keys(results.runtimes[name].verdicts).sort(), ids, name);
  }
});

test("ts-runc passes whatever runc or crun passes", () => {
  const passes = (name: (typeof runtimeNames)[number], id: string) =>
    results.runtimes[name].verdicts[id] === "pass";
  const behind = Object.keys(tests).filter(
    (id) => !passes("ts-runc", id) && (passes("runc", id) || passes("crun", id)),
  );
  assert.equal(behind, []);
});

test("docs/conformance.md has the tables of the last run", () => {
  const document = readFileSync(join(root, "docs/conformance.md"), "utf8");
  assert.is(document, withTables(document, results), "scripts/bun conformance/table.ts --write");
});

test("what ts-runc fails is in docs/compatibility.md", () => {
  const text = readFileSync(join(root, "docs/compatibility.md"), "utf8");
  assert.equal(
    Object.keys(differences["ts-runc"]).filter((id) => !text.includes(`\`${id}\``)),
    [],
  );
});

test("every mutant finds its text, and names tests", () => {
  assert.ok(mutants.length >= 20, `${mutants.length} mutants`);
  assert.is(new Set(mutants.map(({ name }) => name)).size, mutants.length);
  for (const mutant of mutants) {
    const text = readFileSync(join(root, mutant.file), "utf8");
    assert.is.not(mutate(text, mutant), text, mutant.name);
    assert.ok(mutant.caughtBy.length > 0, mutant.name);
    assert.equal(
      mutant.caughtBy.filter((id) => tests[id] === undefined),
      [],
      mutant.name,
    );
  }
});

test.run();
