// Runs tests one after the other and tells of each in the Test Anything Protocol.

import { type Demand, titleOf } from "./demand.ts";
import { demands } from "./demands.ts";
import { Skip, Unmet } from "./expect.ts";
import { openRoom, type Room } from "./room.ts";
import { tests } from "./tests.ts";

export type Result = {
  readonly id: string;
  readonly verdict: "pass" | "fail" | "skip";
  /** Why it has failed or could not be run. */
  readonly reason: string;
};

export type SuiteOptions = {
  /** A part of the id or title of the tests to run. */
  readonly filter?: string;
  /** The ids of the tests to run, instead. */
  readonly only?: readonly string[];
  /** Is given each line. */
  readonly tell?: (line: string) => void;
};

/**
 * Runs the tests against the runtime at a path.
 *
 * @throws an error when not even a room can be made; what a runtime does wrong is in the results
 */
export function runSuite(runtime: string, options: SuiteOptions = {}): readonly Result[] {
  const { filter = "", only, tell = () => undefined } = options;
  const chosen = demands.filter((demand) => {
    if (tests[demand.id] === undefined) return false;
    if (only !== undefined) return only.includes(demand.id);
    return demand.id.includes(filter) || titleOf(demand).includes(filter);
  });
  tell("TAP version 14");
  tell(`1..${chosen.length}`);
  const room = openRoom(runtime);
  try {
    return chosen.map((demand, index) => {
      const result = runTest(room, demand);
      for (const line of linesOf(result, { number: index + 1, title: titleOf(demand) })) tell(line);
      return result;
    });
  } finally {
    room.close();
  }
}

function runTest(room: Room, { id }: Demand): Result {
  try {
    tests[id]?.(room);
    return { id, verdict: "pass", reason: "" };
  } catch (error) {
    if (error instanceof Skip) return { id, verdict: "skip", reason: error.message };
    // Anything else is a mistake of the suite, or a runtime that has surprised it: the trace tells which.
    const reason = error instanceof Unmet ? error.message : Bun.inspect(error, { colors: false });
    return { id, verdict: "fail", reason };
  } finally {
    room.endTest();
  }
}

function linesOf(
  { id, verdict, reason }: Result,
  { number, title }: { readonly number: number; readonly title: string },
): readonly string[] {
  // In a description `#` begins a directive.
  const line = `${verdict === "fail" ? "not ok" : "ok"} ${number} - ${title.replaceAll("#", "\\#")} [${id}]`;
  if (verdict === "skip") return [`${line} # SKIP ${reason}`];
  if (verdict === "pass") return [line];
  const message = reason.split("\n").map((each) => `    ${each}`);
  return [line, "  ---", "  message: |", ...message, "  ..."];
}
