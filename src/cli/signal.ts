// Signals by name or number as `kill` takes them.

import { signals } from "../abi/process.ts";
import { raise } from "../base/fault.ts";
import { quote } from "./quote.ts";

/** Names of the kernel's classic table; real-time signals have numbers only, as with runc. */
const numbers: ReadonlyMap<string, number> = new Map([
  ...Object.entries(signals),
  ["SIGCLD", signals.SIGCHLD],
  ["SIGIOT", signals.SIGABRT],
  ["SIGPOLL", signals.SIGIO],
]);

const int32Max = 2 ** 31 - 1;

/**
 * Reads a signal: a name in any case, with or without SIG, or a number, which only the kernel judges.
 *
 * @throws FaultError `refused` with runc's text
 */
export function parseSignal(given: string): number {
  if (/^[+-]?\d{1,20}$/.test(given)) {
    const number = Number(given);
    // A larger one would reach the kernel cut to 32 bits, as another signal.
    if (Math.abs(number) <= int32Max) return number === 0 ? 0 : number;
  }
  // Only ASCII letters have another case here: "kıll" is no signal.
  const name = /^[A-Za-z\d]+$/.test(given) ? given.toUpperCase() : "";
  const number = numbers.get(name.startsWith("SIG") ? name : `SIG${name}`);
  return number ?? raise({ kind: "refused", message: `unknown signal ${quote(given)}` });
}
