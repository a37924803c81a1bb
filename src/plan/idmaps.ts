// What is known of a config's idmapped mounts before any is made; plan-idmaps.ts finds it out.

import { type IdMaps, isIdmapOption } from "../spec/idmap.ts";
import type { Mount } from "../spec/types.ts";

/** Where a user namespace is to be had from: made for its maps alone, or the one that the container joins. */
export type IdmapSource =
  | { readonly kind: "maps"; readonly maps: IdMaps }
  | { readonly kind: "path"; readonly path: string };

export type IdmapPlan = {
  /** Each once, however many mounts it is for. */
  readonly sources: readonly IdmapSource[];
  /** By number of the mount: the number of its source. */
  readonly mounts: ReadonlyMap<number, { readonly source: number; readonly recursive: boolean }>;
};

/** That of a config without idmapped mounts. */
export const noIdmaps: IdmapPlan = { sources: [], mounts: new Map() };

/** Whether any mount asks to be idmapped. */
export function hasIdmaps(mounts: readonly Mount[]): boolean {
  return mounts.some(
    ({ options, uidMappings }) =>
      uidMappings !== undefined || options?.some(isIdmapOption) === true,
  );
}
