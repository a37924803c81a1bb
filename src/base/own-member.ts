// Looking up in a table what somebody else has named.

/** The table's own member of this name: `toString`, which every object has, is none. */
export function ownMember<Member>(
  table: Readonly<Record<string, Member>>,
  name: string,
): Member | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
