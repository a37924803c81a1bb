// The outputs of `list`, byte for byte.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { listIds, listJson, listTable, ownerName } from "../../src/cli/print-list.ts";

const test = suite("cli/print-list");

const plain = {
  owner: "root",
  created: "2026-01-02T03:04:05.678901234Z",
  ociVersion: "1.3.0",
  id: "web",
  pid: 4711,
  status: "running",
  bundle: "/b",
  rootfs: "/b/rootfs",
};

test("listTable() aligns as Go's tabwriter with a minimal width of 12 and a padding of 3", () => {
  assert.is(listTable([]), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
  const long = { ...plain, id: "an-id-of-some-length", bundle: "/böndle/path" };
  assert.is(
    listTable([plain, long]),
    `ID                     PID         STATUS      BUNDLE         CREATED                          OWNER
web                    4711        running     /b             2026-01-02T03:04:05.678901234Z   root
an-id-of-some-length   4711        running     /böndle/path   2026-01-02T03:04:05.678901234Z   root
`,
  );
});

test("listJson() is one line, and null for nothing", () => {
  assert.is(listJson([]), "null\n");
  assert.is(
    listJson([plain]),
    '[{"ociVersion":"1.3.0","id":"web","pid":4711,"status":"running","bundle":"/b",' +
      '"rootfs":"/b/rootfs","created":"2026-01-02T03:04:05.678901234Z","owner":"root"}]\n',
  );
});

test("listIds() is one id a line", () => {
  assert.is(listIds([plain, { ...plain, id: "b" }]), "web\nb\n");
  assert.is(listIds([]), "");
});

test("ownerName() looks in passwd, and marks a uid that is not there", () => {
  const passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:5:\nann:x:1000:1000::/:\n";
  assert.is(ownerName("0", passwd), "root");
  assert.is(ownerName("1000", passwd), "ann");
  assert.is(ownerName("5", passwd), "#5");
  assert.is(ownerName("77", passwd), "#77");
  assert.is(ownerName("ann", passwd), "ann");
});

test.run();
