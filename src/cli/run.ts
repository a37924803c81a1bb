// ts-runc run: makes a container, starts it and, unless detached, stays with it.

import { raise } from "../base/fault.ts";
import { runContainer } from "../foreground/run.ts";
import { readCreationOptions } from "./creation-options.ts";
import type { Invocation } from "./invocation.ts";
import { flag } from "./options.ts";

/** Resolves to the exit status of the container's process; 0 when detached. */
export function run(invocation: Invocation): number | Promise<number> {
  const { values } = invocation;
  const options = readCreationOptions(invocation);
  const detach = flag(values, "detach");
  if (options.consoleSocket !== undefined && !detach) {
    raise({
      kind: "refused",
      message: "cannot use console socket if runc will not detach or allocate tty",
    });
  }
  return runContainer({
    ...options,
    detach,
    keep: flag(values, "keep"),
    noSubreaper: flag(values, "no-subreaper"),
  });
}
