// Sizes in bytes as the options of runc take them: a number with a unit of powers of 1024, go-units' RAMInBytes.

import { raise } from "../base/fault.ts";

const units = "kmgtp";

/**
 * Reads a size such as `512`, `1.5g`, `10 MiB`; `-1` means that there is no limit.
 *
 * @param option its name, for the message
 * @throws FaultError `refused` with runc's text
 */
export function parseSize(given: string, option: string): number {
  if (given === "-1") return -1;
  const refuse = (why: string): never =>
    raise({ kind: "refused", message: `invalid value for ${option}: ${why}` });
  const end = Math.max(...[..."0123456789. "].map((character) => given.lastIndexOf(character)));
  if (end < 0) refuse(`invalid size: '${given}'`);
  // One blank may stand between number and unit.
  const digits = given[end] === " " ? given.slice(0, end) : given.slice(0, end + 1);
  const suffix = given.slice(end + 1);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(digits)) {
    refuse(`strconv.ParseFloat: parsing ${JSON.stringify(digits)}: invalid syntax`);
  }
  const size = Number(digits);
  if (size < 0) refuse(`invalid size: '${given}'`);
  const bytes = Math.trunc(size * unitOf(suffix, refuse));
  if (!Number.isSafeInteger(bytes)) refuse(`'${given}' is more than can be counted`);
  return bytes;
}

function unitOf(suffix: string, refuse: (why: string) => never): number {
  const [, letter = ""] =
    /^(?:([kmgtp])(?:i?b)?|b)?$/i.exec(suffix) ?? refuse(`invalid suffix: '${suffix}'`);
  return letter === "" ? 1 : 1024 ** (units.indexOf(letter.toLowerCase()) + 1);
}
