// What --debug shows: the steps of a command as they are taken. A sink for the whole process, set once by the door; rooms left
// of ffi are pure and have nothing to tell.

let sink: ((message: string) => void) | undefined;

/** Sends what is told from now on to `to`. */
export function listenToDebug(to: (message: string) => void): void {
  sink = to;
}

/** Tells of a step that has been taken; the message is made only where somebody listens. */
export function debug(message: () => string): void {
  if (sink !== undefined) sink(message());
}
