// Runs the tests of labels in a machine that has SELinux, with a policy that forbids nothing, instead of AppArmor.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { machineObstacle, runInMachine } from "./bench.ts";
import { execute } from "./build-image.ts";

const test = suite("vm/selinux");
const root = join(import.meta.dir, "../..");
const compiler = "/usr/bin/checkpolicy";
const obstacle =
  machineObstacle() ?? (existsSync(compiler) ? undefined : `${compiler} is not installed`);
if (obstacle !== undefined) console.log(`skip: ${obstacle}`);

/** The format that Linux 6.1 reads; younger ones read it, too. */
const policyVersion = "31";

(obstacle === undefined ? test : test.skip)("labels do their work with SELinux", async () => {
  mkdirSync(join(root, "build"), { recursive: true });
  const source = join(root, "test/vm/fixtures/selinux.conf");
  const compiled = join(root, "build/selinux.policy");
  // What the policy does not name is allowed.
  execute([compiler, "-U", "allow", "-c", policyVersion, "-o", compiled, source]);
  const file = "test/kernel/labels.test.ts";
  const run = await runInMachine({
    files: [file],
    timeoutMs: 8 * 60 * 1000,
    kernelOptions: ["security=selinux", "selinux=1", "enforcing=0"],
  });
  assert.is(run.failure, undefined, run.failure);
  assert.is(run.failed, 0, run.output);
  assert.not.match(run.output, "skip: what a label does");
});

test.run();
