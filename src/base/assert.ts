// Checks of what only a bug can break; never used for input.

/**
 * Fails when the program itself is wrong. Not caught anywhere.
 *
 * @throws Error when `condition` is false
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`ts-runc bug: ${message}`);
}

/** Closes a switch over a union: the compiler refuses the call while a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`ts-runc bug: no case for ${JSON.stringify(value)}`);
}

/** Returns `value`, which only a bug can leave undefined. */
export function present<T>(value: T | undefined, what: string): T {
  // No message before there is a need for one: this is asked hundreds of times on the way to a container.
  if (value === undefined) throw new Error(`ts-runc bug: ${what} is missing`);
  return value;
}
