// From parsed JSON to types that promise more: first the schema, then the rules of the specification, all at once.

import { isConfig, isProcess, isResources, type SchemaError } from "../../build/validators.js";
import { raise, type Violation } from "../base/fault.ts";
import { findConfigViolations } from "./accept.ts";
import type { LinuxResources } from "./resources.ts";
import { resourceRules } from "./rules/linux-rules.ts";
import { processRules } from "./rules/process-rules.ts";
import { findViolations, type SpecFacts } from "./rules/rule.ts";
import { valueAt, wordSchemaErrors } from "./schema-violations.ts";
import type { Process, Root, Spec } from "./types.ts";

declare const validated: unique symbol;
type Validated = { readonly [validated]: true };

/** A process that `validateProcess` or `validateConfig` has looked at. */
export type ValidatedProcess = Process & { readonly args: readonly string[] } & Validated;

/** A config that `validateConfig` has looked at. */
export type ValidatedSpec = Spec & {
  readonly root: Root;
  readonly process: ValidatedProcess;
} & Validated;

/** Cgroup resources that `validateResources` has looked at. */
export type ValidatedResources = LinuxResources & Validated;

/** More are counted, not worded: a document can have millions. */
const violationsMax = 100;

/**
 * Checks config.json against the schema and the specification's rules. Unknown properties are accepted. What depends on
 * the host is not checked here.
 *
 * @throws FaultError `invalid` with every violation
 */
export function validateConfig(value: unknown, facts: SpecFacts = {}): ValidatedSpec {
  const document = facts.document ?? "config.json";
  if (!isAcceptedConfig(value)) {
    return refuse(document, wordSchemaErrors(configErrors(value), value));
  }
  const violations = findConfigViolations(value, facts);
  if (violations.length > 0) refuse(document, violations);
  return value as ValidatedSpec;
}

/**
 * Checks a process that stands alone, as `exec --process` reads it, by the rules of config.json's process.
 *
 * @throws FaultError `invalid` with every violation
 */
export function validateProcess(value: unknown, facts: SpecFacts = {}): ValidatedProcess {
  const document = facts.document ?? "process.json";
  if (!isProcess(value)) {
    return refuse(document, wordSchemaErrors(isProcess.errors ?? [], value));
  }
  const violations = findViolations(processRules, { document: value, facts });
  if (violations.length > 0) refuse(document, violations);
  return value as ValidatedProcess;
}

/**
 * Checks cgroup resources that stand alone, as `update --resources` reads them.
 *
 * @throws FaultError `invalid` with every violation
 */
export function validateResources(value: unknown, facts: SpecFacts = {}): ValidatedResources {
  const document = facts.document ?? "resources.json";
  if (!isResources(value)) {
    return refuse(document, wordSchemaErrors(isResources.errors ?? [], value));
  }
  const violations = findViolations(resourceRules, { document: value, facts });
  if (violations.length > 0) refuse(document, violations);
  return value as ValidatedResources;
}

function isAcceptedConfig(value: unknown): value is Spec {
  return isConfig(value) || configErrors(value).length === 0;
}

/** What the schema found in the config it was last asked about, without what runc and its callers take for valid. */
function configErrors(value: unknown): readonly SchemaError[] {
  return (isConfig.errors ?? []).filter(
    ({ instancePath }) => !isTaken(instancePath, valueAt(value, instancePath)),
  );
}

/** Bits of a mode that say what a file is, and those of permissions with setuid, setgid and sticky; inode(7). */
const modeMax = 0o177777;

function isTaken(pointer: string, value: unknown): boolean {
  // Engines write `rslave` for mounts that follow the host's; the schema knows only the forms without the r.
  if (pointer === "/linux/rootfsPropagation") {
    return /^r(shared|slave|private|unbindable)$/.test(String(value));
  }
  // podman writes all of st_mode for the devices of a privileged container; only the permissions are used.
  if (!/^\/linux\/devices\/\d+\/fileMode$/.test(pointer)) return false;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= modeMax;
}

function refuse(document: string, violations: readonly Violation[]): never {
  const rest = violations.length - violationsMax;
  const listed = violations.slice(0, violationsMax);
  if (rest > 0) listed.push({ pointer: "", message: `and ${rest} more violations` });
  return raise({ kind: "invalid", document, violations: listed });
}
