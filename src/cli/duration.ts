// A span of time as Go writes and reads it (`1m30s`, `1.5h`, `250ms`), which is how runc's options have it.

import { ownMember } from "../base/own-member.ts";

const lengthMax = 256;

/**
 * Reads a duration as Go's time.ParseDuration does.
 *
 * @returns nanoseconds; undefined for a text that is none, or too long a time
 */
export function parseDuration(given: string): bigint | undefined {
  const sign = /^[+-]/.exec(given)?.[0] ?? "";
  const body = given.slice(sign.length);
  if (body === "0") return 0n;
  if (body.length > lengthMax || !/^(?:(?:\d+\.?\d*|\.\d+)[^.\d]+)+$/u.test(body)) {
    return undefined;
  }
  // Nanoseconds; the micro sign and the Greek letter are both in use.
  const units: Readonly<Record<string, bigint>> = {
    ns: 1n,
    us: 1_000n,
    "\u00b5s": 1_000n,
    "\u03bcs": 1_000n,
    ms: 1_000_000n,
    s: 1_000_000_000n,
    m: 60_000_000_000n,
    h: 3_600_000_000_000n,
  };
  let total = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of body.matchAll(
    /(\d*)\.?(\d*)([^.\d]+)/gu,
  )) {
    const unitNs = ownMember(units, unit);
    if (unitNs === undefined) return undefined;
    total += BigInt(whole) * unitNs + (BigInt(fraction) * unitNs) / 10n ** BigInt(fraction.length);
  }
  // Of a 64-bit count of nanoseconds: a good 292 years.
  const maxNs = 2n ** 63n;
  if (sign === "-") return total > maxNs ? undefined : -total;
  return total >= maxNs ? undefined : total;
}
