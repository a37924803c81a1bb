// The output of `state`, byte for byte.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { stateText } from "../../src/cli/print-state.ts";

const test = suite("cli/print-state");

const report = {
  owner: "root",
  created: "2026-01-02T03:04:05.678901234Z",
  ociVersion: "1.3.0",
  id: "web",
  pid: 4711,
  status: "running",
  bundle: "/b",
  rootfs: "/b/rootfs",
  annotations: { "org.example": "<é>" },
};
test("stateText() has runc's keys in runc's order, an empty owner and no newline at the end", () => {
  assert.is(
    stateText(report),
    `{
  "ociVersion": "1.3.0",
  "id": "web",
  "pid": 4711,
  "status": "running",
  "bundle": "/b",
  "rootfs": "/b/rootfs",
  "created": "2026-01-02T03:04:05.678901234Z",
  "annotations": {
    "org.example": "<é>"
  },
  "owner": ""
}`,
  );
  assert.not.match(stateText({ ...report, annotations: {} }), /annotations/);
});

test.run();
