// Compiles a profile: libseccomp's filter with our answer to newer calls in front.

import { classicBpfInstructionBytes, classicBpfMaxInstructions } from "../../abi/seccomp.ts";
import { debug } from "../../base/debug.ts";
import { compileFilter, refuseLong } from "../../ffi/libseccomp.ts";
import { answerNewCalls } from "../../plan/seccomp-new-calls.ts";
import { findForbidden } from "../../plan/seccomp-remaining.ts";
import { requestFilter } from "../../plan/seccomp-request.ts";
import type { Seccomp } from "../../spec/seccomp.ts";
import type { SeccompLibrary } from "./library.ts";
import type { CompiledProgram } from "./program-file.ts";

/**
 * Compiles a profile.
 *
 * @param library undefined where it was not found in the usual places: the loader may still find it
 * @throws `host`, `refused` faults
 */
export function compileProfile(
  library: SeccompLibrary | undefined,
  profile: Seccomp,
): CompiledProgram {
  const request = requestFilter(profile);
  const compiled = compileFilter(library?.path, request);
  const { program, lastCalls, unknownNames } = compiled;
  for (const name of new Set(unknownNames)) debug(() => `seccomp: unknown call ${name}, ignored`);
  const front = answerNewCalls(request.defaultAction, lastCalls);
  const whole = new Uint8Array(front.byteLength + program.byteLength);
  whole.set(front);
  whole.set(program, front.byteLength);
  if (whole.byteLength > classicBpfMaxInstructions * classicBpfInstructionBytes) refuseLong();
  return { program: whole, forbidden: findForbidden(whole) };
}
