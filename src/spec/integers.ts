// The 64-bit integers of a config, which JSON.parse rounds to doubles: how to find them rounded, and how to get them back.

/** What stands in a parsed document for an integer that a double cannot hold. */
export type InexactInteger = { readonly inexactInteger: string };

const uint64Max = (1n << 64n) - 1n;
const int64Max = (1n << 63n) - 1n;

/** The integer that a checked uint64 of the config stands for; the largest one is all bits set (RLIM_INFINITY). */
export function toUint64(value: number): bigint {
  const integer = BigInt(value);
  return integer > uint64Max ? uint64Max : integer;
}

/** The integer that a checked int64 of the config stands for. */
export function toInt64(value: number): bigint {
  const integer = BigInt(value);
  return integer > int64Max ? int64Max : integer;
}

/**
 * Replaces the integers of a JSON text that would be rounded by an object, which no integer property accepts, so that
 * a limit or a seccomp mask is never quietly another one. Properties that nobody reads may still hold them.
 */
export function markInexactIntegers(text: string): string {
  // No shorter number is rounded; hardly any config has one as long.
  if (!/\d{16}/.test(text)) return text;
  return text.replaceAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g, (token) =>
    isInexact(token) ? `{"inexactInteger":"${token}"}` : token,
  );
}

function isInexact(token: string): boolean {
  if (!/^-?\d{16,}$/.test(token)) return false;
  const integer = BigInt(token);
  // The two largest are rounded up by one, which toUint64 and toInt64 take back. More is out of any range.
  if (integer === uint64Max || integer === int64Max || integer > uint64Max) return false;
  return BigInt(Number(token)) !== integer;
}
