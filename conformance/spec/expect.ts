// How a test of the suite says that something is not as demanded, or that this machine cannot tell.

/** The runtime does not do what is demanded. */
export class Unmet extends Error {}

/** The machine lacks what the test takes. */
export class Skip extends Error {}

/** Demands that something holds. */
export function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Unmet(otherwise);
}

/** Demands that two values are the same, as JSON. */
export function expectSame(what: string, found: unknown, wanted: unknown): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  expect(left === right, `${what}: ${left}, not ${right}`);
}

/** Demands that a text matches. */
export function expectMatch(what: string, found: string, pattern: RegExp): void {
  expect(pattern.test(found), `${what}: ${JSON.stringify(found)} does not match ${pattern}`);
}

/** Passes over the test unless the machine has what it takes. */
export function needs(there: boolean, what: string): void {
  if (!there) throw new Skip(what);
}
