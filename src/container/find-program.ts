// Picks the program among the places where it could be, from what init has seen there; in the words that engines match.

import { errnoName } from "../abi/errno.ts";
import { fileTypes } from "../abi/file.ts";
import { readField, statxBuffer } from "../abi/struct.ts";
import { errnoText } from "../base/errno-text.ts";
import { raise } from "../base/fault.ts";
import type { Answer } from "../init/answer.ts";
import { type Candidate, programCandidates } from "../inside/process.ts";

/**
 * Returns the path to execute: the first candidate that is there and may be executed by the container's user.
 *
 * @throws `program` fault
 */
export function findProgram(program: string, env: readonly string[], answer: Answer): string {
  const seen = programCandidates(program, env).map((candidate) => ({
    path: candidate.path,
    reason: refusal(candidate, answer),
  }));
  const found = seen.filter(({ reason }) => reason === undefined)[0];
  if (found !== undefined) return found.path;
  if (program.includes("/")) {
    const reason = seen[0]?.reason ?? "ENOENT";
    const detail =
      reason === "ENOENT" ? `stat ${program}: ${errnoText(reason)}` : errnoText(reason);
    return raise({ kind: "program", program, reason: detail });
  }
  const denied = seen.find(({ reason }) => reason === "EACCES");
  const reason = denied === undefined ? "executable file not found in $PATH" : errnoText("EACCES");
  return raise({ kind: "program", program, reason });
}

/** The errno for which a candidate is no program, or undefined when it is one. */
function refusal(candidate: Candidate, { results, outputs }: Answer): string | undefined {
  const stat = outputs.get(candidate.statSlot);
  if (stat === undefined) return errnoName(-(results.get(candidate.statSlot) ?? 0));
  const type = readField(statxBuffer, stat, "stx_mode") & fileTypes.S_IFMT;
  if (type === fileTypes.S_IFDIR) return "EISDIR";
  const access = results.get(candidate.accessSlot) ?? 0;
  return access < 0 ? errnoName(-access) : undefined;
}
