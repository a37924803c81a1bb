// Takes a validated config back from where it was kept; apart from validate.ts, whose validators `start` need not load.

import { parseConfig } from "./load.ts";
import type { ValidatedSpec } from "./validate.ts";

/**
 * Reads the text of a config that `validateConfig` has accepted, and that only root could have changed since.
 *
 * @throws `json` fault when it is damaged
 */
export function recallConfig(text: string): ValidatedSpec {
  return parseConfig(text, "config.json") as ValidatedSpec;
}
