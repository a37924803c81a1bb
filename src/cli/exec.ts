// ts-runc exec: runs a program in a container that is there and, unless detached, stays with it.

import { execInContainer } from "../foreground/exec.ts";
import { readExecOptions } from "./exec-options.ts";
import type { Invocation } from "./invocation.ts";

/** Resolves to the exit status of the program; 0 when detached. */
export function exec(invocation: Invocation): Promise<number> {
  return execInContainer(readExecOptions(invocation));
}
