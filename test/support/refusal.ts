// What every refused command has in common: exit code 1 and one error that a person can do something with.

import * as assert from "uvu/assert";
import { logMessages, type Outcome } from "../cli/executable.ts";

/** Fails unless it was refused with this message, beside nothing but warnings. */
export function expectRefusal({ status, stderr }: Outcome, message: RegExp): void {
  assert.is(status, 1, stderr);
  const [said = "", ...others] = logMessages(stderr);
  assert.equal(others, [], stderr);
  assert.match(said, message, `${message}: ${said}`);
  // What a person can do nothing with.
  assert.not.match(stderr, /undefined|\[object|\bat .*\.js|errno -/);
}
