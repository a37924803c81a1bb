import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findUnsupported, refuseUnsupported } from "../../src/spec/unsupported.ts";
import { validateConfig } from "../../src/spec/validate.ts";
import { catchFault } from "./catch-fault.ts";
import { makeConfig } from "./config-builder.ts";

const test = suite("spec/unsupported");

const bind = { destination: "/a", type: "bind", source: "/b" };

/** What is asked for, its place, and a config that asks for it. */
const requests: readonly (readonly [string, string, unknown])[] = [
  [
    "linux.seccomp",
    "/linux/seccomp",
    makeConfig({ linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW" } } }),
  ],
];

for (const [what, pointer, config] of requests) {
  test(`findUnsupported() names ${what}`, () => {
    assert.equal(findUnsupported(validateConfig(config)), [{ what, pointer }]);
  });
}

test("findUnsupported() lets values pass that ask for nothing", () => {
  const config = makeConfig({
    process: {
      terminal: true,
    },
    mounts: [{ ...bind, uidMappings: [], gidMappings: [] }],
    linux: {},
  });
  assert.equal(findUnsupported(validateConfig(config)), []);
});

test("findUnsupported() has nothing to say about what this version does", () => {
  const resources = {
    memory: { limit: 1 },
    cpu: { shares: 2, cpus: "0" },
    pids: { limit: 1 },
    devices: [{ allow: false }],
    unified: { "memory.high": "1" },
    rdma: { mlx5: { hcaHandles: 1 } },
    network: { classID: 1 },
    hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
    blockIO: { weight: 10 },
  };
  assert.equal(findUnsupported(validateConfig(makeConfig({ linux: { resources } }))), []);
});

test("refuseUnsupported() raises one fault that names all", () => {
  const list = [
    { what: "one thing", pointer: "/one" },
    { what: "another", pointer: "/another" },
  ];
  assert.equal(catchFault(() => refuseUnsupported(list))?.fault, {
    kind: "unsupported",
    pointer: "/one",
    what: "one thing, another",
  });
  assert.is(
    catchFault(() => refuseUnsupported([])),
    undefined,
  );
});

test.run();
