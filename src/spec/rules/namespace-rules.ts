// The rules for namespaces and for what only makes sense inside one: mappings, offsets, host name, masked paths.

import { hasNamespace, namespaceSource } from "../namespaces.ts";
import type { IDMapping, Spec } from "../types.ts";
import {
  type Finding,
  findDuplicates,
  findEach,
  findNul,
  findWhen,
  isLongerThan,
  judgeAbsolute,
  type Rule,
  type SpecFacts,
  show,
} from "./rule.ts";

/** Lines that /proc/PID/uid_map takes, user_namespaces(7). */
const mappingLinesMax = 340;
/** Bytes of a host name, `__NEW_UTS_LEN`. */
const hostnameBytesMax = 64;

const kinds = [
  { mappings: "uidMappings", id: "uid" },
  { mappings: "gidMappings", id: "gid" },
] as const;

export const namespaceRules: readonly Rule<Spec>[] = [
  {
    section: "config.md#hostname",
    pointer: "/hostname",
    find: (spec) => findHostname(spec, "hostname"),
  },
  {
    section: "config.md#domainname",
    pointer: "/domainname",
    find: (spec) => findHostname(spec, "domainname"),
  },
  {
    section: "config-linux.md#namespaces",
    pointer: "/linux/namespaces",
    find: ({ linux }) => [
      // Spec: config-linux.md#namespaces MUST (an error for duplicates).
      ...findDuplicates(linux?.namespaces, { key: ({ type }) => type, what: "namespace" }),
      // Spec: config-linux.md#namespaces MUST (paths are absolute).
      ...findEach(linux?.namespaces, ({ path = "" }) =>
        path === "" ? undefined : judgeAbsolute(path),
      ),
    ],
  },
  {
    section: "config-linux.md#user-namespace-mappings",
    pointer: "/linux",
    minds: "absence",
    find: findMappings,
  },
  {
    section: "config-linux.md#user-namespace-mappings",
    pointer: "/process/user",
    minds: "absence",
    find: findUnmappedUser,
  },
  {
    section: "config-linux.md#offset-for-time-namespace",
    pointer: "/linux/timeOffsets",
    *find(spec) {
      const offsets = Object.entries(spec.linux?.timeOffsets ?? {});
      const source = namespaceSource(spec, "time").kind;
      const asked = offsets.length > 0;
      yield* findWhen(
        asked && source === "inherited",
        () =>
          `time namespace offsets specified, but time namespace isn't enabled in the config, got ${show(spec.linux?.timeOffsets)}`,
      );
      yield* findWhen(
        asked && source === "joined",
        () =>
          `time offsets cannot be set in an existing time namespace, got ${show(spec.linux?.timeOffsets)}`,
      );
      for (const [clock, { nanosecs = 0 }] of offsets) {
        yield* findWhen(
          clock !== "monotonic" && clock !== "boottime",
          () => `must be about monotonic or boottime, got ${show(clock)}`,
        );
        const broken = nanosecs > 999_999_999;
        yield* findWhen(
          broken,
          () => `must be below 1000000000, got ${nanosecs}`,
          `/${clock}/nanosecs`,
        );
      }
    },
  },
  {
    section: "config-linux.md#masked-paths",
    pointer: "/linux/maskedPaths",
    find: (spec) => findRestrictedPaths(spec, spec.linux?.maskedPaths),
  },
  {
    section: "config-linux.md#readonly-paths",
    pointer: "/linux/readonlyPaths",
    find: (spec) => findRestrictedPaths(spec, spec.linux?.readonlyPaths),
  },
  {
    section: "config-linux.md#rootfs-mount-propagation",
    pointer: "/linux/rootfsPropagation",
    find: ({ linux }, { noPivot = false }) =>
      findWhen(
        noPivot && /^r?private$/.test(linux?.rootfsPropagation ?? ""),
        () =>
          `rootfsPropagation of [r]private is not safe without pivot_root, got ${show(linux?.rootfsPropagation)}`,
      ),
  },
];

function* findHostname(spec: Spec, property: "hostname" | "domainname"): Generator<Finding> {
  const name = spec[property] ?? "";
  if (name === "") return;
  yield* findWhen(
    !hasNamespace(spec, "uts"),
    () => `unable to set ${property} without a private UTS namespace, got ${show(name)}`,
  );
  yield* findWhen(
    isLongerThan(hostnameBytesMax, name),
    () => `must have at most ${hostnameBytesMax} bytes, got ${show(name)}`,
  );
  yield* findNul(name);
}

/** Spec: config-linux.md#masked-paths MUST, config-linux.md#readonly-paths MUST (paths are absolute). */
function* findRestrictedPaths(
  spec: Spec,
  paths: readonly string[] | undefined,
): Generator<Finding> {
  yield* findWhen(
    (paths ?? []).length > 0 && !hasNamespace(spec, "mount"),
    () => `unable to restrict sys entries without a private MNT namespace, got ${show(paths)}`,
  );
  yield* findEach(paths, judgeAbsolute);
}

function* findMappings(spec: Spec, { rootless = false }: SpecFacts): Generator<Finding> {
  const source = namespaceSource(spec, "user").kind;
  yield* findWhen(
    source === "inherited" && rootless,
    () => `rootless container requires user namespaces, got ${show(spec.linux?.namespaces)}`,
    "/namespaces",
  );
  for (const { mappings, id } of kinds) {
    const list = spec.linux?.[mappings] ?? [];
    if (source !== "new" && list.length === 0) continue;
    yield* findWhen(
      source === "inherited" && list.length > 0,
      () =>
        `user namespace mappings specified, but user namespace isn't enabled in the config, got ${show(list)}`,
      `/${mappings}`,
    );
    yield* findWhen(
      source === "new" && list.length === 0,
      () => `user namespaces enabled, but no ${id} mappings and no namespace path to be joined`,
      `/${mappings}`,
    );
    for (const { at, message } of findBadMapping(list)) yield { at: `/${mappings}${at}`, message };
  }
}

/** What the kernel refuses with EINVAL when the map is written, user_namespaces(7). */
export function* findBadMapping(list: readonly IDMapping[]): Generator<Finding> {
  yield* findWhen(
    list.length > mappingLinesMax,
    () => `must have at most ${mappingLinesMax} entries, got ${list.length}`,
  );
  yield* findEach(list, ({ size }) => (size === 0 ? "must have a size above 0, got 0" : undefined));
  for (const side of ["containerID", "hostID"] as const) {
    yield* findEach(list, (mapping) =>
      mapping[side] + mapping.size > 0xffff_ffff
        ? `goes beyond the last id: ${side} ${mapping[side]}, size ${mapping.size}`
        : undefined,
    );
    const order = [...list.keys()].sort((a, b) => idAt(list, a, side) - idAt(list, b, side));
    for (const [rank, index] of order.entries()) {
      const before = list[order[rank - 1] ?? -1];
      const overlaps = before !== undefined && before[side] + before.size > idAt(list, index, side);
      yield* findWhen(
        overlaps,
        () => `overlaps another mapping in its ${side} ${idAt(list, index, side)}`,
        `/${index}`,
      );
    }
  }
}

function idAt(list: readonly IDMapping[], index: number, side: "containerID" | "hostID"): number {
  return list[index]?.[side] ?? 0;
}

/** The user must exist in a new user namespace; of an existing one the config does not say. */
function* findUnmappedUser(spec: Spec): Generator<Finding> {
  if (namespaceSource(spec, "user").kind !== "new") return;
  const { uid = 0, gid = 0, additionalGids } = spec.process?.user ?? {};
  const uids = spec.linux?.uidMappings ?? [];
  const gids = spec.linux?.gidMappings ?? [];
  // Missing mappings are reported where they are missed.
  yield* findWhen(uids.length > 0 && !isMapped(uids, uid), () => `${uid} is not mapped`, "/uid");
  if (gids.length === 0) return;
  yield* findWhen(!isMapped(gids, gid), () => `${gid} is not mapped`, "/gid");
  for (const { at, message } of findEach(additionalGids, (id) =>
    isMapped(gids, id) ? undefined : `${id} is not mapped`,
  )) {
    yield { at: `/additionalGids${at}`, message };
  }
}

/** Whether a container's id has an id of the host behind it. */
export function isMapped(mappings: readonly IDMapping[], id: number): boolean {
  return mappings.some(({ containerID, size }) => id >= containerID && id < containerID + size);
}
