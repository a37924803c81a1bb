import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isConfig, isFeatures, isProcess, isResources, isState } from "../../build/validators.js";
import {
  isConfig as isQuickConfig,
  isProcess as isQuickProcess,
  isResources as isQuickResources,
} from "../../build/verdicts.js";
import { findDifferences } from "../../schemas/compare.ts";
import { compileCode } from "../../schemas/compile.ts";
import { type CorpusDocument, makeCorpus } from "../../schemas/corpus.ts";
import { readSchemas } from "../../schemas/read-schemas.ts";
import { firstDifference, printVerdicts } from "../../schemas/verdicts.ts";
import { valueAt } from "../../src/spec/schema-violations.ts";

const test = suite("spec/schema-verdicts");
const folder = join(import.meta.dir, "../../schemas");
const publishedFolder = join(import.meta.dir, "../../../shared/oci-schemas");

function verdict({ schema, value }: CorpusDocument): boolean {
  switch (schema) {
    case "config-schema.json":
      return isConfig(value);
    case "features-schema.json":
      return isFeatures(value);
    case "state-schema.json":
      return isState(value);
    default:
      throw new Error(`no validator for ${schema}`);
  }
}

test("build/validators.js is what the schemas compile to, and imports nothing", () => {
  const built = readFileSync(join(import.meta.dir, "../../build/validators.js"), "utf8");
  const isFresh = built === compileCode(readSchemas(folder));
  assert.ok(isFresh, "run scripts/bun schemas/compile.ts");
  assert.not.match(built, /\b(import|require)\b/);
});

test("the validators say to each document of the corpus what the committed table says", () => {
  const table = printVerdicts(makeCorpus(readSchemas(folder)), verdict);
  const committed = readFileSync(join(folder, "verdicts.tsv"), "utf8");
  assert.is(firstDifference(table, committed), undefined);
});

test("the quick verdicts are those of the validators, but for what engines write", () => {
  const documents = makeCorpus(readSchemas(folder));
  assert.ok(isQuickConfig({ ociVersion: "1.3.0", linux: { rootfsPropagation: "rslave" } }));
  let asked = 0;
  for (const { schema, value } of documents) {
    if (schema !== "config-schema.json") continue;
    const propagation = valueAt(value, "/linux/rootfsPropagation");
    const isEngineForm = /^r(shared|slave|private|unbindable)$/.test(String(propagation));
    if (!isEngineForm) assert.is(isQuickConfig(value), isConfig(value), JSON.stringify(value));
    const process = valueAt(value, "/process");
    assert.is(isQuickProcess(process), isProcess(process), JSON.stringify(process));
    const resources = valueAt(value, "/linux/resources");
    assert.is(isQuickResources(resources), isResources(resources), JSON.stringify(resources));
    asked += 1;
  }
  assert.ok(asked > 5000, `${asked} documents`);
});

test("the table covers at least 5,000 documents, and both verdicts for each schema", () => {
  const groups = readFileSync(join(folder, "verdicts.tsv"), "utf8").split(/^# /m).slice(1);
  const count = groups.join("").match(/\t[01]$/gm)?.length ?? 0;
  assert.ok(count >= 5000, `${count} documents`);
  for (const schema of ["config", "features", "state"]) {
    const lines = groups.filter((group) => group.startsWith(`${schema}-schema.json`)).join("");
    assert.match(lines, /\t1$/m);
    assert.match(lines, /\t0$/m);
  }
});

const againstPublished = existsSync(publishedFolder) ? test : test.skip;
if (!existsSync(publishedFolder)) {
  console.log("skip: the published schemas are not there, the committed table stands for them");
}
againstPublished("ours and the published schemas have the same definitions and verdicts", () => {
  assert.equal(findDifferences(readSchemas(folder), readSchemas(publishedFolder)), []);
});

test.run();
