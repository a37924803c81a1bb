// The documents of conformance/schema: the validators tell good from bad ones, the program says so as TAP, the executable agrees,
// and a schema with a mistake in it is noticed.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as built from "../../build/validators.js";
import { documentsIn, judgeDocuments, type Validators } from "../../conformance/schema/judge.ts";
import { refusals } from "../../conformance/schema/refusals.ts";
import { compileCode } from "../../schemas/compile.ts";
import { readSchemas } from "../../schemas/read-schemas.ts";
import { runProgram, tsRunc } from "../cli/executable.ts";
import { root } from "../support/source-tree.ts";

const test = suite("conformance/schema");
const directory = mkdtempSync(join(tmpdir(), "schema-"));

const unmet = (validators: Validators) =>
  judgeDocuments(validators)
    .filter((verdict) => verdict.unmet !== undefined)
    .map((verdict) => `${verdict.title}: ${verdict.unmet}`);

test("every document is judged as it should be, and every refusal is of a document", () => {
  assert.equal(unmet(built), []);
  const bad = ["config", "features", "state"].flatMap((kind) =>
    documentsIn(kind, "bad").map(({ name }) => `${kind}/${name}`),
  );
  assert.equal(Object.keys(refusals).sort(), bad.sort());
});

test("there is a good document for each platform that a config can be of", () => {
  const { properties } = JSON.parse(readFileSync(join(root, "schemas/config-schema.json"), "utf8"));
  const platforms = Object.keys(properties).filter((name) =>
    readdirSync(join(root, "schemas")).includes(`config-${name}.json`),
  );
  const good = documentsIn("config", "good").map(({ name }) => name);
  assert.equal(
    platforms.filter((name) => !good.includes(name)),
    [],
  );
  assert.is(platforms.length, 6);
});

test("conformance/schema/run says it as TAP, and by its exit status", () => {
  const run = (...argv: readonly string[]) =>
    runProgram([join(root, "conformance/schema/run"), ...argv]);
  const all = run();
  assert.is(all.status, 0, all.stdout);
  assert.match(all.stdout, /^TAP version 14\n1\.\.70\nok 1 - config\/good\/freebsd is accepted\n/);
  assert.match(run("state/bad").stdout, /^TAP version 14\n1\.\.7\nok 1 - state\/bad\/annotation/);
  assert.is(run("no such document").status, 1);
  assert.is(run("--what").status, 2);
});

/** Schemas with one mistake each, and a document that notices it. */
const mutants = [
  {
    file: "config-schema.json",
    from: '"required":["cwd"],',
    to: "",
    noticedBy: "config/bad/process-without-cwd",
  },
  {
    file: "config-windows.json",
    from: '"minItems":1',
    to: '"minItems":0',
    noticedBy: "config/bad/windows-without-layers",
  },
  {
    file: "config-vm.json",
    from: '"format":{',
    to: '"formats":{',
    noticedBy: "config/bad/vm-image-unknown-format",
  },
  { file: "defs-freebsd.json", from: '"disable",', to: "", noticedBy: "config/good/freebsd" },
  { file: "defs-zos.json", from: '"uts"', to: '"screen"', noticedBy: "config/good/zos" },
  {
    file: "config-solaris.json",
    from: '"ncpus":{"type":"string"}',
    to: '"ncpus":{}',
    noticedBy: "config/bad/solaris-cpus-are-a-number",
  },
  { file: "state-schema.json", from: '"stopped"', to: '"paused"', noticedBy: "state/bad/paused" },
  {
    file: "features-linux.json",
    from: "^CAP_[A-Z_]+$",
    to: "",
    noticedBy: "features/bad/capability-in-lower-case",
  },
  {
    file: "features-schema.json",
    from: '"ociVersionMin",',
    to: "",
    noticedBy: "features/bad/no-least-version",
  },
];

for (const { file, from, to, noticedBy } of mutants) {
  test(`${file} without ${from} is noticed`, async () => {
    const schemas = readSchemas(join(root, "schemas"));
    const text = JSON.stringify(schemas.get(file));
    assert.is(text.split(from).length, 2, "the mistake has one place");
    const changed = JSON.parse(text.replace(from, () => to));
    const path = join(directory, `${file}.mjs`);
    writeFileSync(path, compileCode(new Map([...schemas, [file, changed]])));
    const verdicts = unmet(await import(path));
    assert.match(verdicts.join("\n"), new RegExp(`^${noticedBy} is `, "m"));
  });
}

test("the executable refuses the bad configs at the same places", () => {
  for (const { name, value } of documentsIn("config", "bad")) {
    writeFileSync(join(directory, "config.json"), JSON.stringify(value));
    const { status, stderr } = tsRunc(["program", "--bundle", directory]);
    assert.is(status, 1, name);
    for (const place of refusals[`config/${name}`] ?? []) {
      // A property that is not there is named at the object that lacks it.
      const [, parent, property] = /^(.*)\/([^/]*)$/.exec(place) ?? ["", "", ""];
      const says =
        stderr.includes(place) || stderr.includes(`must have the property \\"${property}\\"`);
      assert.ok(says, `${name} at ${parent}: ${stderr}`);
    }
  }
});

test("the executable's own documents are good ones", () => {
  assert.ok(built.isFeatures(JSON.parse(tsRunc(["features"]).stdout)));
  const bundle = mkdtempSync(join(directory, "bundle-"));
  for (const options of [[], ["--rootless"]]) {
    assert.is(tsRunc(["spec", "--bundle", bundle, ...options]).status, 0);
    assert.ok(built.isConfig(JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"))));
    rmSync(join(bundle, "config.json"));
  }
});

test.after(() => rmSync(directory, { recursive: true, force: true }));
test.run();
