// list: the states of all containers below a state root.

import { FaultError } from "../base/fault.ts";
import { readState } from "./state.ts";
import type { ContainerState } from "./status.ts";
import { listContainerIds } from "./store.ts";

/** Reads the states of all containers; undefined when the state root does not exist. */
export function listContainers(options: {
  readonly root: string;
}): readonly ContainerState[] | undefined {
  return listContainerIds(options.root)
    ?.map((id) => {
      try {
        return [readState({ root: options.root, id })];
      } catch (error) {
        // One that is just being made or removed, or is damaged, must not hide the others.
        if (error instanceof FaultError) return [];
        throw error;
      }
    })
    .flat();
}
