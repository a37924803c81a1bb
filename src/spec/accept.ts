// Says whether a config is a valid one, and no more: what is wrong with one that is not, validate.ts says. It is a fifth of
// the code, and all that most containers need.

import { isConfig } from "../../build/verdicts.js";
import type { Violation } from "../base/fault.ts";
import { configRules } from "./rules/config-rules.ts";
import { resourceRules } from "./rules/linux-rules.ts";
import { processRules } from "./rules/process-rules.ts";
import { findViolations, type Rule, type SpecFacts } from "./rules/rule.ts";
import type { Spec } from "./types.ts";
import type { ValidatedSpec } from "./validate.ts";

/**
 * Accepts a config that `validateConfig` would accept.
 *
 * @returns undefined for any other, and never for one that is valid
 */
export function acceptConfig(value: unknown, facts: SpecFacts = {}): ValidatedSpec | undefined {
  return isConfig(value) && obeysRules(value, facts) ? value : undefined;
}

function obeysRules(config: Spec, facts: SpecFacts): config is ValidatedSpec {
  return findConfigViolations(config, facts).length === 0;
}

/** The rules that a config which has the schema's form breaks. */
export function findConfigViolations(config: Spec, facts: SpecFacts): readonly Violation[] {
  const { process, linux: { resources } = {} } = config;
  return [
    ...findViolations(configRules, { document: config, facts }),
    ...findIn(process, processRules, { facts, prefix: "/process" }),
    ...findIn(resources, resourceRules, { facts, prefix: "/linux/resources" }),
  ];
}

function findIn<Document>(
  document: Document | undefined,
  rules: readonly Rule<Document>[],
  place: { readonly facts: SpecFacts; readonly prefix: string },
): readonly Violation[] {
  return document === undefined ? [] : findViolations(rules, { document, ...place });
}
