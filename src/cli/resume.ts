// ts-runc resume: lets a paused container go on.

import { resumeContainer } from "../container/pause.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";
import { warnOfRights } from "./rights.ts";

export function resume({ globals, positionals, log }: Invocation): number {
  warnOfRights("resume", { globals, log });
  const [id = ""] = positionals;
  resumeContainer({ root: globals.root, id: parseContainerId(id) });
  return 0;
}
