// The maps of a container whose config asks for a user namespace and has none: the caller's own id, and the ids that
// /etc/subuid and /etc/subgid give to it; subuid(5). As crun makes them. Pure.

import type { IDMapping } from "../spec/types.ts";

/** A caller: by name, where it has one, and by number. */
export type IdOwner = { readonly name: string | undefined; readonly id: number };

/** A range of the host's ids. */
export type IdRange = { readonly first: number; readonly size: number };

/** More than what is left of 32 bits cannot be mapped. */
const lastId = 0xffff_fffe;

/**
 * Finds the first range that a file in the form of subuid(5) gives to the owner: `NAME:FIRST:SIZE`, or its number for the
 * name. Lines of any other form are passed over, as newuidmap does.
 */
export function findSubordinateIds(text: string, owner: IdOwner): IdRange | undefined {
  for (const line of text.split("\n")) {
    const [who = "", first = "", size = "", ...more] = line.split(":");
    if (more.length > 0 || who === "" || (who !== owner.name && who !== `${owner.id}`)) continue;
    if (!/^\d+$/.test(first) || !/^\d+$/.test(size)) continue;
    const range = { first: Number(first), size: Number(size) };
    if (range.size > 0 && range.first + range.size - 1 <= lastId) return range;
  }
  return undefined;
}

/** Name of the user with a number, from the text of passwd(5) . */
export function findUserName(passwd: string, uid: number): string | undefined {
  for (const line of passwd.split("\n")) {
    const [name, , number] = line.split(":");
    if (number === `${uid}`) return name;
  }
  return undefined;
}

/**
 * Maps the container's own id to the caller's, and those below and above it to the subordinate ones, as far as they go.
 *
 * @param inside the id that the container's process has
 * @param outside the caller's
 */
export function automaticMap(
  inside: number,
  outside: number,
  range: IdRange | undefined,
): readonly IDMapping[] {
  const own = { containerID: inside, hostID: outside, size: 1 };
  if (range === undefined) return [own];
  const below = Math.min(inside, range.size);
  const above = range.size - below;
  return [
    ...(below > 0 ? [{ containerID: 0, hostID: range.first, size: below }] : []),
    own,
    ...(above > 0 ? [{ containerID: inside + 1, hostID: range.first + below, size: above }] : []),
  ];
}
