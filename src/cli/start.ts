// ts-runc start: lets a created container run.

import { startContainer } from "../container/start.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";

export function start({ globals, positionals }: Invocation): number {
  const [id = ""] = positionals;
  startContainer({ root: globals.root, id: parseContainerId(id) });
  return 0;
}
