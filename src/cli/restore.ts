// ts-runc restore: makes a container of a saved one and, unless detached, stays with it until it ends.

import { restoreAttended } from "../foreground/restore.ts";
import { readCreationOptions } from "./creation-options.ts";
import { readCriuChoices } from "./criu-choices.ts";
import type { Invocation } from "./invocation.ts";
import { flag, text } from "./options.ts";

/** Resolves to the exit status of the container's process; 0 when detached. */
export function restore(invocation: Invocation): Promise<number> {
  const { values } = invocation;
  return restoreAttended({
    ...readCreationOptions(invocation),
    ...readCriuChoices(values),
    detach: flag(values, "detach"),
    noSubreaper: flag(values, "no-subreaper"),
    lsmProfile: text(values, "lsm-profile"),
    lsmMountContext: text(values, "lsm-mount-context"),
  });
}
