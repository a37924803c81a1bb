// From the text of a JSON document to a value of which nothing is known yet; reading the file is the caller's.

import { raise } from "../base/fault.ts";
import { markInexactIntegers } from "./integers.ts";
import type { ValidatedSpec } from "./validate.ts";

/** Longer documents are not parsed; readers of files stop there too. */
export const documentLimitBytes = 64 * 1024 * 1024;
/** No document of the specification is nested deeper than about ten levels. */
export const nestingLimit = 512;

/**
 * Parses a JSON document; `document` is its name in messages.
 *
 * @throws FaultError `json` when the text is no JSON, too long or nested too deeply
 */
export function parseConfig(text: string, document: string): unknown {
  if (text.length > documentLimitBytes) {
    const message = `is larger than ${documentLimitBytes / 1024 / 1024} MiB`;
    raise({ kind: "json", document, message });
  }
  const value = parse(text, document);
  if (countOpenings(text) > nestingLimit && depthOf(value) > nestingLimit) {
    raise({ kind: "json", document, message: `is nested more than ${nestingLimit} levels deep` });
  }
  const marked = markInexactIntegers(text);
  return marked === text ? value : parse(marked, document);
}

/**
 * Takes a config back that `validateConfig` has accepted, and that only root could have changed since.
 *
 * @throws FaultError `json` when it is damaged
 */
export function recallConfig(text: string): ValidatedSpec {
  const value = parseConfig(text, "config.json");
  if (isKept(value)) return value;
  return raise({ kind: "json", document: "config.json", message: "is no object any more" });
}

/** Whether it can be the config that was kept: it is believed to be. */
function isKept(value: unknown): value is ValidatedSpec {
  return typeof value === "object" && value !== null;
}

function parse(text: string, document: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return raise({ kind: "json", document, message }, error);
  }
}

/** An upper bound of the nesting, which spares most documents the walk: brackets seen, at most one past the limit. */
function countOpenings(text: string): number {
  let count = 0;
  for (const bracket of ["[", "{"]) {
    let at = text.indexOf(bracket);
    while (at >= 0 && count <= nestingLimit) {
      count += 1;
      at = text.indexOf(bracket, at + 1);
    }
  }
  return count;
}

/** Levels of arrays and objects within each other, one level at a time, because recursion is what the limit prevents. */
function depthOf(document: unknown): number {
  let level = [document];
  let depth = 0;
  while (level.length > 0 && depth <= nestingLimit) {
    level = level
      .filter((value) => typeof value === "object" && value !== null)
      .map((value) => Object.values(value ?? {}))
      .flat();
    if (level.length > 0) depth += 1;
  }
  return depth;
}
