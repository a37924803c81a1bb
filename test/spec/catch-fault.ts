// The fault that an action raises, for the tests of this folder.

import { FaultError } from "../../src/base/fault.ts";

/** Runs `action` and returns the fault it raises, if any; other errors pass. */
export function catchFault(action: () => unknown): FaultError | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof FaultError) return error;
    throw error;
  }
  return undefined;
}
