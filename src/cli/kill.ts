// ts-runc kill: sends a signal to a container.

import { killContainer } from "../container/kill.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";
import { flag } from "./options.ts";
import { parseSignal } from "./signal.ts";

export function kill({ globals, values, positionals }: Invocation): number {
  const [id = "", signal = ""] = positionals;
  killContainer({
    root: globals.root,
    id: parseContainerId(id),
    signal: parseSignal(signal === "" ? "SIGTERM" : signal),
    all: flag(values, "all"),
  });
  return 0;
}
