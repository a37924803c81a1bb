// Mistakes built into ts-runc: each is noticed by the tests of conformance/spec that are named for it.

import { readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { buildMutants, mutantVariable } from "../../conformance/build-mutants.ts";
import { mutants } from "../../conformance/mutants.ts";
import { runSuite } from "../../conformance/spec/run-suite.ts";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { executable } from "../cli/executable.ts";
import { ownCgroups } from "../support/room.ts";

const test = suite("kernel/conformance-mutants");
// The machine of test/vm has no compiler, and some mistakes are made in what is for cgroup v1.
const inMachine = process.env["TS_RUNC_MACHINE"] !== undefined;
if (inMachine) console.log("skip: mistakes are noticed by the same tests everywhere");
const here = inMachine ? test.skip : test;
// Naming the executable builds what the copy is made of.
const built = inMachine || executable === "" ? undefined : buildMutants();

/** The groups of the suite's containers that there are: below our own, and below the roots of the hierarchies. */
function suiteGroups(): readonly string[] {
  const host = readCgroupHost();
  const hierarchies = host.version === "v1" ? host.hierarchies : [host.hierarchy];
  const roots = hierarchies.map(({ mountPoint }) => mountPoint);
  return [...new Set([...ownCgroups(), ...roots])].flatMap((path) =>
    readdirSync(path)
      .filter((name) => /^conformance-\d+-\d+$/.test(name))
      .map((name) => join(path, name)),
  );
}

const former = new Set(suiteGroups());

here("the build with the mutants passes their tests while none is made", () => {
  const only = mutants.flatMap(({ caughtBy }) => caughtBy);
  const failed = runSuite(built?.executable ?? "", { only }).filter(
    ({ verdict }) => verdict !== "pass",
  );
  assert.equal(failed, []);
});

for (const { name, caughtBy } of mutants) {
  here(`${name} is noticed`, () => {
    process.env[mutantVariable] = name;
    const results = runSuite(built?.executable ?? "", { only: caughtBy });
    delete process.env[mutantVariable];
    const passed = results.filter(({ verdict }) => verdict !== "fail").map(({ id }) => id);
    assert.equal(passed, []);
    assert.is(results.length, caughtBy.length);
  });
}

test("what is left are the empty groups of the mutant that does not remove them", () => {
  for (const group of suiteGroups()) {
    if (former.has(group)) continue;
    const below = readdirSync(group, { withFileTypes: true }).filter((one) => one.isDirectory());
    for (const { name } of below) rmdirSync(join(group, name));
    rmdirSync(group);
  }
});

test.after(() => built?.[Symbol.dispose]());
test.run();
