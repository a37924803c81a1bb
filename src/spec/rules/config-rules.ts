// All rules for config.json, in the order in which they are reported, with those that have no file of their own.

import type { HookPoint, Spec } from "../types.ts";
import { judgeGroupAnnotation } from "./group-name.ts";
import { judgeString, linuxRules } from "./linux-rules.ts";
import { mountRules } from "./mount-rules.ts";
import { namespaceRules } from "./namespace-rules.ts";
import {
  type Finding,
  findEachMember,
  findNul,
  findNuls,
  findWhen,
  judgeAbsolute,
  type Rule,
  show,
} from "./rule.ts";
import { seccompRules } from "./seccomp-rules.ts";

/** Points at which hooks run, in that order. */
export const hookPoints: readonly HookPoint[] = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];

/** A version as semver 2.0.0 writes it; asked only for one that is more than three numbers. */
const semver = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;

export const configRules: readonly Rule<Spec>[] = [
  {
    // Spec: config.md#specification-version MUST (semver 2.0.0).
    section: "config.md#specification-version",
    pointer: "/ociVersion",
    *find({ ociVersion }) {
      const major = majorOf(ociVersion);
      yield* findWhen(
        major === undefined,
        () => `must be a version like 1.3.0, got ${show(ociVersion)}`,
      );
      yield* findWhen(
        major !== undefined && major !== "1",
        () => `${show(ociVersion)} is not supported, only versions 1.x are`,
      );
    },
  },
  {
    // Spec: config.md#root (required on Linux).
    section: "config.md#root",
    pointer: "/root",
    minds: "absence",
    find: ({ root }) => [
      ...findWhen(root === undefined, "root property must not be empty"),
      ...findWhen(root?.path === "", "must not be empty", "/path"),
      ...findNul(root?.path, "/path"),
    ],
  },
  {
    section: "config.md#process",
    pointer: "/process",
    minds: "absence",
    find: ({ process }) => findWhen(process === undefined, "process property must not be empty"),
  },
  ...mountRules,
  ...namespaceRules,
  ...linuxRules,
  ...seccompRules,
  { section: "config.md#posix-platform-hooks", pointer: "/hooks", find: findHooks },
  {
    section: "config.md#annotations",
    pointer: "/annotations",
    find: ({ annotations }) =>
      findEachMember(annotations, (key, value) =>
        // Spec: config.md#annotations MUST NOT (empty keys).
        key === ""
          ? 'must not have an empty key, got ""'
          : (judgeString(value) ?? judgeGroupAnnotation(key, value)),
      ),
  },
];

function majorOf(version: string): string | undefined {
  const numbers = version.split(".");
  const [major] = numbers;
  const isPlain = numbers.length === 3 && !numbers.some((number) => !isWholeNumber(number));
  return isPlain ? major : semver.exec(version)?.[1];
}

function isWholeNumber(text: string): boolean {
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= 0 && `${number}` === text;
}

function* findHooks({ hooks }: Spec): Generator<Finding> {
  for (const point of hookPoints) {
    for (const [index, { path, args, env }] of (hooks?.[point] ?? []).entries()) {
      const at = `/${point}/${index}`;
      // Spec: config.md#posix-platform-hooks MUST (path is absolute).
      const message = judgeAbsolute(path);
      if (message !== undefined) yield { at: `${at}/path`, message };
      for (const finding of findNuls(args)) yield { ...finding, at: `${at}/args${finding.at}` };
      for (const finding of findNuls(env)) yield { ...finding, at: `${at}/env${finding.at}` };
    }
  }
}
