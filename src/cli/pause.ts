// ts-runc pause: stops a container's processes where they are.

import { pauseContainer } from "../container/pause.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";
import { warnOfRights } from "./rights.ts";

export function pause({ globals, positionals, log }: Invocation): number {
  warnOfRights("pause", { globals, log });
  const [id = ""] = positionals;
  pauseContainer({ root: globals.root, id: parseContainerId(id) });
  return 0;
}
