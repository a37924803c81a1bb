// ts-runc create: makes a container that waits for `start`.

import { createContainer } from "../container/create.ts";
import { readCreationOptions } from "./creation-options.ts";
import type { Invocation } from "./invocation.ts";

export function create(invocation: Invocation): number {
  createContainer(readCreationOptions(invocation));
  return 0;
}
