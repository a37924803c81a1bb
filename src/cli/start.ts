// ts-runc start: lets a created container run.

import { startContainer } from "../container/start.ts";
import { readNotifySocket } from "../host/notify-address.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";

export async function start({ globals, positionals, log }: Invocation): Promise<number> {
  const [id = ""] = positionals;
  const place = { root: globals.root, id: parseContainerId(id) };
  if (readNotifySocket() === undefined) {
    await startContainer(place);
    return 0;
  }
  const { startNotifying } = await import("../foreground/start.ts");
  await startNotifying(place, log.warning);
  return 0;
}
