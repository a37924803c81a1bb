// Sets of named bits: how a flags operand is printed; the bits themselves stand with the calls that take them.

/** Names and values of the bits that an operand can carry. A name of several bits comes before the names of its parts. */
export type FlagTable = Readonly<Record<string, number>>;

/** Prints a value as the kernel's names joined by `|`, with what no name covers in hexadecimal; "0" when empty. */
export function flagNames(table: FlagTable, value: number): string {
  const names: string[] = [];
  let rest = BigInt(value);
  for (const [name, bits] of Object.entries(table)) {
    const wide = BigInt(bits);
    if (wide === 0n || (rest & wide) !== wide) continue;
    names.push(name);
    rest &= ~wide;
  }
  if (rest !== 0n) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? "0" : names.join("|");
}
