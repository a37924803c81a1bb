// Container ids: their grammar, and the type of an id that keeps it; whether one is taken is the store's business.

import { raise } from "../base/fault.ts";

declare const checked: unique symbol;

/** A container's id that is safe as one component of a path. */
export type ContainerId = string & { readonly [checked]: true };

/** Longer ones fit no file name and no unit name anyway; the store finds that out with the file system's own error. */
const lengthMax = 1024;

/**
 * Checks an id given by a caller. Texts are runc's.
 *
 * @throws FaultError `id` when it is empty or malformed
 */
export function parseContainerId(id: string): ContainerId {
  if (id === "") raise({ kind: "id", message: "container id cannot be empty" });
  if (id.length > lengthMax || !hasGrammar(id) || id === "." || id === "..") {
    raise({ kind: "id", message: "invalid container ID format" });
  }
  return id as ContainerId;
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz+-.";

/** By hand: to compile a regular expression takes longer than all the rest of a small command's own work. */
function hasGrammar(id: string): boolean {
  for (const character of id) if (!alphabet.includes(character)) return false;
  return true;
}
