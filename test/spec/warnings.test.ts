import { suite } from "uvu";
import * as assert from "uvu/assert";
import { validateConfig } from "../../src/spec/validate.ts";
import { findProcessWarnings, findWarnings } from "../../src/spec/warnings.ts";
import { makeConfig, withNamespaces } from "./config-builder.ts";

const test = suite("spec/warnings");

function warningsIn(config: unknown): readonly string[] {
  const warnings = findWarnings(validateConfig(config));
  return warnings.map(({ pointer, message }) => `${pointer}: ${message}`);
}

test("findWarnings() has nothing to say about a plain config", () => {
  const names = ["CAP_CHECKPOINT_RESTORE"];
  const capabilities = { bounding: ["CAP_KILL"], effective: names, permitted: names };
  assert.equal(warningsIn(makeConfig({ process: { capabilities, env: ["A=", "B=1"] } })), []);
});

test("findWarnings() names unknown capabilities, which are no error", () => {
  const capabilities = { bounding: ["CAP_KILL", "CAP_FUTURE"], ambient: ["kill"] };
  assert.equal(warningsIn(makeConfig({ process: { capabilities } })), [
    '/process/capabilities/bounding/1: ignoring unknown capability "CAP_FUTURE"',
    '/process/capabilities/ambient/0: ignoring unknown capability "kill"',
  ]);
});

test("findWarnings() names ambient capabilities that the kernel will not raise", () => {
  const capabilities = {
    permitted: ["CAP_KILL", "CAP_CHOWN"],
    inheritable: ["CAP_KILL", "CAP_SYSLOG"],
    ambient: ["CAP_KILL", "CAP_CHOWN", "CAP_SYSLOG"],
  };
  assert.equal(warningsIn(makeConfig({ process: { capabilities } })), [
    "/process/capabilities/ambient/1: can't raise ambient capability CAP_CHOWN: it is not inheritable",
    "/process/capabilities/ambient/2: can't raise ambient capability CAP_SYSLOG: it is not permitted",
  ]);
});

test("findWarnings() names relative mount destinations", () => {
  const [warning] = warningsIn(makeConfig({ mounts: [{ destination: "data", type: "tmpfs" }] }));
  assert.match(warning ?? "", '/mounts/0: destination "data" is relative, which is deprecated');
});

test("findWarnings() names what is deprecated, reserved or without effect", () => {
  const config = makeConfig({
    hooks: { prestart: [{ path: "/a" }] },
    process: { env: ["NAME"] },
    linux: {
      ...withNamespaces({ type: "user", path: "/ns" }),
      uidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
      personality: { domain: "LINUX", flags: ["x"] },
      resources: { memory: { kernel: 1, kernelTCP: 1 } },
    },
  });
  const places = warningsIn(config).map((warning) => warning.split(":")[0]);
  assert.equal(places, [
    "/hooks/prestart",
    "/linux",
    "/linux/personality/flags",
    "/process/env/0",
    "/linux/resources/memory/kernel",
    "/linux/resources/memory/kernelTCP",
  ]);
});

test("findProcessWarnings() has pointers from the process's own root", () => {
  const [warning] = findProcessWarnings({ cwd: "/", env: ["NAME"] });
  assert.is(warning?.pointer, "/env/0");
});

test.run();
