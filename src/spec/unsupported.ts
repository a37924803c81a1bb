// What a config may ask for and this version does not do yet: it is refused by name, never ignored.

import { raise } from "../base/fault.ts";

import type { Spec } from "./types.ts";

/** Something asked for that this version does not do. */
export type Unsupported = {
  readonly pointer: string;
  /** The property or option by name. */
  readonly what: string;
};

type Row = {
  readonly what: string;
  /** Place of what is asked for, or undefined; empty and default values ask for nothing. */
  readonly find: (spec: Spec) => string | undefined;
};

const specRows: readonly Row[] = [
  row("linux.seccomp", "/linux/seccomp", ({ linux }) => linux?.seccomp !== undefined),
];

/** Everything in a config that this version does not do. */
export function findUnsupported(spec: Spec): readonly Unsupported[] {
  return specRows.flatMap(({ what, find }) => {
    const pointer = find(spec);
    return pointer === undefined ? [] : [{ what, pointer }];
  });
}

/**
 * Refuses what `findUnsupported` has found: all by name, with the place of the first.
 *
 * @throws FaultError `unsupported` unless the list is empty
 */
export function refuseUnsupported(list: readonly Unsupported[]): void {
  const [first] = list;
  if (first === undefined) return;
  const what = list.map((entry) => entry.what).join(", ");
  raise({ kind: "unsupported", pointer: first.pointer, what });
}

function row(what: string, pointer: string, asksFor: (spec: Spec) => boolean): Row {
  return { what, find: (spec) => (asksFor(spec) ? pointer : undefined) };
}
