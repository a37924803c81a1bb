// What a config may ask for and this version does not do yet: it is refused by name, never ignored.

import { raise } from "../base/fault.ts";
import { hookPoints } from "./rules/config-rules.ts";
import type { Process, Spec } from "./types.ts";

/** Something asked for that this version does not do. */
export type Unsupported = {
  readonly pointer: string;
  /** The property or option by name. */
  readonly what: string;
};

type Row<Document> = {
  readonly what: string;
  /** Place of what is asked for, or undefined; empty and default values ask for nothing. */
  readonly find: (document: Document) => string | undefined;
};

const processRows: readonly Row<Process>[] = [
  row("process.apparmorProfile", "/apparmorProfile", (process) => isSet(process.apparmorProfile)),
  row("process.selinuxLabel", "/selinuxLabel", (process) => isSet(process.selinuxLabel)),
];

const specRows: readonly Row<Spec>[] = [
  ...hookPoints.map((point) =>
    row<Spec>(
      `hooks.${point}`,
      `/hooks/${point}`,
      ({ hooks }) => (hooks?.[point] ?? []).length > 0,
    ),
  ),
  ...(["uidMappings", "gidMappings"] as const).map((mappings) => ({
    what: `mounts[].${mappings}`,
    find: ({ mounts = [] }: Spec) =>
      findFirst(mounts, (mount) => (mount[mappings] ?? []).length > 0)?.concat(`/${mappings}`),
  })),
  optionRow("idmap"),
  optionRow("ridmap"),
  optionRow("tmpcopyup"),
  row("linux.mountLabel", "/linux/mountLabel", ({ linux }) => isSet(linux?.mountLabel)),
  row("linux.seccomp", "/linux/seccomp", ({ linux }) => linux?.seccomp !== undefined),
  row("linux.intelRdt", "/linux/intelRdt", ({ linux }) => hasMembers(linux?.intelRdt)),
  row("linux.netDevices", "/linux/netDevices", ({ linux }) => hasMembers(linux?.netDevices)),
];

/** Everything in a config that this version does not do. */
export function findUnsupported(spec: Spec): readonly Unsupported[] {
  return [...findRows(spec.process, processRows, "/process"), ...findRows(spec, specRows, "")];
}

/** Everything in a process that stands alone (`exec --process`) that this version does not do. */
export function findUnsupportedProcess(process: Process): readonly Unsupported[] {
  return findRows(process, processRows, "");
}

/**
 * Refuses what `findUnsupported` and its siblings found: all by name, with the place of the first.
 *
 * @throws FaultError `unsupported` unless the list is empty
 */
export function refuseUnsupported(list: readonly Unsupported[]): void {
  const [first] = list;
  if (first === undefined) return;
  const what = list.map((entry) => entry.what).join(", ");
  raise({ kind: "unsupported", pointer: first.pointer, what });
}

function findRows<Document>(
  document: Document | undefined,
  rows: readonly Row<Document>[],
  prefix: string,
): readonly Unsupported[] {
  if (document === undefined) return [];
  return rows.flatMap(({ what, find }) => {
    const pointer = find(document);
    return pointer === undefined ? [] : [{ what, pointer: `${prefix}${pointer}` }];
  });
}

function row<Document>(
  what: string,
  pointer: string,
  asksFor: (document: Document) => boolean,
): Row<Document> {
  return { what, find: (document) => (asksFor(document) ? pointer : undefined) };
}

/** An option with a value (`idmap=...`, as crun has it) is the option too. */
function optionRow(name: string): Row<Spec> {
  const isIt = (option: string) => option === name || option.startsWith(`${name}=`);
  return {
    what: `mount option ${name}`,
    find: ({ mounts = [] }) => {
      for (const [index, { options = [] }] of mounts.entries()) {
        const at = options.findIndex(isIt);
        if (at >= 0) return `/mounts/${index}/options/${at}`;
      }
      return undefined;
    },
  };
}

function findFirst<Entry>(
  list: readonly Entry[],
  matches: (entry: Entry) => boolean,
): string | undefined {
  const index = list.findIndex(matches);
  return index < 0 ? undefined : `/mounts/${index}`;
}

function isSet(text: string | undefined): boolean {
  return (text ?? "") !== "";
}

function hasMembers(map: object | undefined): boolean {
  return Object.keys(map ?? {}).length > 0;
}
