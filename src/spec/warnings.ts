// What is odd in a valid config and worth a line in the log, as data; nothing here refuses a config.

import type { Violation } from "../base/fault.ts";
import { capabilityNames } from "./capability-names.ts";
import { namespaceSource } from "./namespaces.ts";
import type { LinuxResources } from "./resources.ts";
import { type Finding, findEach, findViolations, findWhen, type Rule, show } from "./rules/rule.ts";
import type { CapabilitySet, Process, Spec } from "./types.ts";

const capabilitySets: readonly CapabilitySet[] = [
  "bounding",
  "effective",
  "inheritable",
  "permitted",
  "ambient",
];
const knownCapabilities: ReadonlySet<string> = new Set(capabilityNames);

const processWarnings: readonly Rule<Process>[] = [
  {
    // Spec: config.md#linux-process SHOULD (warn about capabilities that cannot be granted).
    section: "config.md#linux-process",
    pointer: "/capabilities",
    find: findUnknownCapabilities,
  },
  {
    // runc's words. The kernel wants what is ambient to be permitted and inheritable (capabilities(7)).
    section: "config.md#linux-process",
    pointer: "/capabilities",
    find: ({ capabilities: { ambient, permitted = [], inheritable = [] } = {} }) =>
      prefixed(
        "/ambient",
        findEach(ambient, (name) => {
          if (!knownCapabilities.has(name)) return undefined;
          const lacking = permitted.includes(name) ? "inheritable" : "permitted";
          if (permitted.includes(name) && inheritable.includes(name)) return undefined;
          return `can't raise ambient capability ${name}: it is not ${lacking}`;
        }),
      ),
  },
  {
    section: "config.md#posix-process",
    pointer: "/env",
    find: ({ env }) =>
      findEach(env, (entry) =>
        entry.includes("=") ? undefined : `has no "=", got ${show(entry)}`,
      ),
  },
];

const resourceWarnings: readonly Rule<LinuxResources>[] = (["kernel", "kernelTCP"] as const).map(
  (property) => ({
    section: "config-linux.md#memory",
    pointer: `/memory/${property}`,
    find: ({ memory }) =>
      findWhen(memory?.[property] !== undefined, "is deprecated, and ignored by the kernel"),
  }),
);

const specWarnings: readonly Rule<Spec>[] = [
  {
    section: "config.md#mounts",
    pointer: "/mounts",
    find: ({ mounts }) =>
      findEach(mounts, ({ destination }) =>
        destination.startsWith("/")
          ? undefined
          : `destination ${show(destination)} is relative, which is deprecated; taken from the root`,
      ),
  },
  {
    section: "config.md#posix-platform-hooks",
    pointer: "/hooks/prestart",
    find: ({ hooks }) =>
      findWhen(
        (hooks?.prestart ?? []).length > 0,
        "is deprecated, use createRuntime, createContainer or startContainer",
      ),
  },
  {
    section: "config-linux.md#user-namespace-mappings",
    pointer: "/linux",
    find: (spec) =>
      findWhen(
        namespaceSource(spec, "user").kind === "joined" &&
          [spec.linux?.uidMappings, spec.linux?.gidMappings].some(
            (list) => (list ?? []).length > 0,
          ),
        "the existing user namespace has its own mappings, those in the config must be the same",
      ),
  },
  {
    section: "config-linux.md#personality",
    pointer: "/linux/personality/flags",
    find: ({ linux }) =>
      findWhen((linux?.personality?.flags ?? []).length > 0, "are reserved, and ignored"),
  },
];

/** What is odd in a config. */
export function findWarnings(spec: Spec): readonly Violation[] {
  const { process, linux: { resources } = {} } = spec;
  const facts = {};
  return [
    ...findViolations(specWarnings, { document: spec, facts }),
    ...(process === undefined ? [] : findProcessWarnings(process, "/process")),
    ...(resources === undefined
      ? []
      : findViolations(resourceWarnings, {
          document: resources,
          facts,
          prefix: "/linux/resources",
        })),
  ];
}

/** What is odd in a process; `prefix` is its place in the document, "" when it stands alone. */
export function findProcessWarnings(process: Process, prefix = ""): readonly Violation[] {
  return findViolations(processWarnings, { document: process, facts: {}, prefix });
}

function* prefixed(prefix: string, findings: Iterable<Finding>): Generator<Finding> {
  for (const { at, message } of findings) yield { at: `${prefix}${at}`, message };
}

function* findUnknownCapabilities({ capabilities }: Process): Generator<Finding> {
  for (const set of capabilitySets) {
    const unknown = findEach(capabilities?.[set], (name) =>
      knownCapabilities.has(name) ? undefined : `ignoring unknown capability ${show(name)}`,
    );
    yield* prefixed(`/${set}`, unknown);
  }
}
