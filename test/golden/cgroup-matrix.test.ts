// The table of what ran in which cgroup mode: its checker, its writer, and that the files of the table are there.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fillMatrix, matrixFaults, readCompatibility } from "../support/cgroup-matrix.ts";
import { root } from "../support/source-tree.ts";

const test = suite("golden/cgroup-matrix");
const document = `
## Cgroups: what ran where

| file | host, v1 | VM, v2 |
| --- | --- | --- |
| \`test/a.test.ts\` | passes | none |
| \`test/b.test.ts\` | passes | passes |

## Another
`;
const ran = (file: string, passed: number, failed = 0) => ({ file, passed, failed });

test("matrixFaults() finds nothing where the run saw what the table says", () => {
  const outcomes = [
    ran("test/a.test.ts", 0),
    ran("test/b.test.ts", 2),
    ran("test/c.test.ts", 1, 1),
  ];
  assert.equal(matrixFaults(document, { mode: "VM, v2", outcomes }), []);
});

test("matrixFaults() names cells that the run contradicts, and a column that is not there", () => {
  const outcomes = [ran("test/a.test.ts", 1), ran("test/b.test.ts", 2, 1)];
  assert.equal(matrixFaults(document, { mode: "VM, v2", outcomes }), [
    "VM, v2, test/a.test.ts: none stands there, passes it was",
    "VM, v2, test/b.test.ts: passes stands there, fails it was",
  ]);
  assert.is(matrixFaults(document, { mode: "VM, v2 with systemd", outcomes }).length, 1);
});

test("fillMatrix() writes the cells of what ran, in the column of its mode, and nothing else", () => {
  const outcomes = [
    ran("test/a.test.ts", 1),
    ran("test/b.test.ts", 2, 1),
    ran("test/c.test.ts", 1),
  ];
  const filled = fillMatrix(document, { mode: "VM, v2", outcomes });
  assert.equal(matrixFaults(filled, { mode: "VM, v2", outcomes }), []);
  const wanted = document
    .replace("| passes | none |", "| passes | passes |")
    .replace("b.test.ts` | passes | passes |", "b.test.ts` | passes | fails |");
  assert.is(filled, wanted);
  assert.is(fillMatrix(document, { mode: "VM, v1 with systemd", outcomes }), document);
});

test("the files of the committed table are there, and no file about cgroups is missing", () => {
  const committed = readCompatibility();
  const named = [...committed.matchAll(/^\| `(test\/kernel\/[a-z0-9-]+\.test\.ts)` \|/gm)].map(
    (match) => match[1] ?? "",
  );
  assert.ok(named.length > 5);
  for (const file of named) assert.ok(existsSync(join(root, file)), file);
  for (const file of new Bun.Glob("test/kernel/*cgroup*.test.ts").scanSync(root)) {
    assert.ok(named.includes(file), `${file} has no row below "Cgroups: what ran where"`);
  }
});

test.run();
