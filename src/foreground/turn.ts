// A turn of what attended containers are looked after with: it waits for a while, or until a signal comes, and does what there
// is to do.

import { type Wanted, waitForAny } from "../host/poll.ts";

/** Waits and does what there is to do; returns whether the container has ended and nothing is left to be done. */
export type Turn = () => boolean;

/** How long to wait at most before signals are seen to; one that comes in meanwhile ends the wait. */
const turnMs = 1000;

/** Waits for a turn's time; returns what has happened to each descriptor, or nothing. */
export function waitTurn(wanted: readonly Wanted[]): readonly number[] {
  return waitForAny(wanted, turnMs);
}
