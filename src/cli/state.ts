// ts-runc state: what is known of one container, as JSON.

import { readState } from "../container/state.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";
import { print } from "./output.ts";
import { stateText } from "./print-state.ts";

export function state({ globals, positionals }: Invocation): number {
  const [id = ""] = positionals;
  print(stateText(readState({ root: globals.root, id: parseContainerId(id) })));
  return 0;
}
