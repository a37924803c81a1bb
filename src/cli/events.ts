// ts-runc events: prints a container's statistics and its want of memory, a line of JSON each.

import { signals } from "../abi/process.ts";
import { FaultError } from "../base/fault.ts";
import { wordFaultError } from "../base/word-fault.ts";
import { type ContainerEvent, tellEvents } from "../foreground/events.ts";
import { dieBy } from "../host/processes.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";
import { durationMs, flag } from "./options.ts";
import { print } from "./output.ts";
import { oomLine, statsLine } from "./print-events.ts";

const defaultIntervalMs = 5000;

export function events({ globals, values, positionals, log }: Invocation): number {
  const [given = ""] = positionals;
  const id = parseContainerId(given);
  const reason = tellEvents({
    root: globals.root,
    id,
    intervalMs: durationMs(values, "interval") ?? defaultIntervalMs,
    once: flag(values, "stats"),
    tell: (event) => tell(id, event),
    complain: (error) => log.error(wordFaultError(error)),
  });
  return reason === "unheard" ? dieUnheard() : 0;
}

function tell(id: string, event: ContainerEvent): void {
  try {
    print(event.kind === "oom" ? oomLine(id) : statsLine(id, event.stats));
  } catch (error) {
    const fault = error instanceof FaultError ? error.fault : undefined;
    if (fault?.kind === "syscall" && fault.errno === "EPIPE") dieUnheard();
    throw error;
  }
}

/** `events | head -1` ends without a word, as any program does whose reader has gone; Bun ignores that signal. */
function dieUnheard(): never {
  return dieBy(signals.SIGPIPE);
}
