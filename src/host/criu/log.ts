// What CRIU's log says about a failure: the lines with an error, and those before them.

import { readTextIfPresent } from "../files.ts";

/** Lines quoted of each error: its own, and what led to it. */
const quotedLines = 6;
const logMaxBytes = 64 * 1024 * 1024;

/**
 * Quotes a log as runc does: each line that has an error with the five before it, numbered, gaps marked.
 *
 * @returns the lines to be shown; none when there is no log or no error in it
 */
export function quoteCriuLog(path: string): readonly string[] {
  const text = readTextIfPresent(path, "reading the log of criu", logMaxBytes) ?? "";
  const lines = text.split("\n");
  const quoted: string[] = [];
  let next = 0;
  lines.forEach((line, index) => {
    if (!line.includes("Error")) return;
    const first = Math.max(next, index - quotedLines + 1);
    if (quoted.length > 0 && first > next) quoted.push("...");
    for (let at = first; at <= index; at += 1) {
      if (lines[at] !== "") quoted.push(`${at + 1}:${lines[at]}`);
    }
    next = index + 1;
  });
  return quoted.length === 0 ? [] : [`--- Quoting ${JSON.stringify(path)}`, ...quoted, "---"];
}
