// Capability sets as masks; the order of the calls is in test/plan/create-program.test.ts.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { capabilityMask } from "../../src/inside/credentials.ts";

const test = suite("inside/credentials");

test("capabilityMask() sets one bit a name, beyond 32 too", () => {
  assert.is(capabilityMask(["CAP_CHOWN", "CAP_SYS_ADMIN"]), (1n << 21n) | 1n);
  assert.is(capabilityMask(["CAP_CHECKPOINT_RESTORE"]), 1n << 40n);
  assert.is(capabilityMask(["CAP_KILL", "CAP_KILL"]), 1n << 5n);
});

test("capabilityMask() is empty for nothing, and passes over names it does not know", () => {
  assert.is(capabilityMask(undefined), 0n);
  assert.is(capabilityMask([]), 0n);
  assert.is(capabilityMask(["CAP_OF_THE_FUTURE", "toString"]), 0n);
});

test.run();
