// ts-runc delete: removes what is left of a container.

import { deleteContainer } from "../container/delete.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { Invocation } from "./invocation.ts";
import { flag } from "./options.ts";

export function deleteCommand({ globals, values, positionals }: Invocation): number {
  const [id = ""] = positionals;
  const force = flag(values, "force");
  deleteContainer({ root: globals.root, id: parseContainerId(id), force });
  return 0;
}
