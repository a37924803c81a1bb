// What an action complains of, for comparison with the words that a caller is to see.

import { FaultError } from "../../src/base/fault.ts";
import { wordFaultError } from "../../src/base/word-fault.ts";

/** The fault of an action in words, `no fault` when there is none. */
export function faultText(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof FaultError) return wordFaultError(error);
    throw error;
  }
  return "no fault";
}
