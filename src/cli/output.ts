// What goes to standard output; errors and debugging go to the log.

import { writeAll } from "../host/files.ts";

/**
 * Prints a text to standard output.
 *
 * @throws `syscall` fault, also where nobody reads any more: Bun ignores SIGPIPE
 */
export function print(text: string): void {
  writeAll(1, text, "writing to standard output");
}
