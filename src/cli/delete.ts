// ts-runc delete: removes what is left of a container.

import { deleteContainer } from "../container/delete.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";
import { flag } from "./options.ts";

export async function deleteCommand(invocation: Invocation): Promise<number> {
  const { globals, values, positionals, log } = invocation;
  const [id = ""] = positionals;
  const force = flag(values, "force");
  const place = { root: globals.root, id: parseContainerId(id) };
  await deleteContainer({ ...place, force, warn: log.warning });
  return 0;
}
