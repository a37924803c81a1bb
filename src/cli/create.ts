// ts-runc create: makes a container that waits for `start`.

import { createContainer } from "../container/create.ts";
import { readCreationOptions } from "./creation-options.ts";
import type { Invocation } from "./invocation.ts";

export async function create(invocation: Invocation): Promise<number> {
  await createContainer(readCreationOptions(invocation));
  return 0;
}
