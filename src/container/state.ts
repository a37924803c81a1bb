// state: what a container is and what it is doing, without a lock, since hooks ask during create.

import { ociVersion } from "../spec/default-spec.ts";
import { observe } from "./observe.ts";
import { readRecord } from "./record.ts";
import type { ContainerState } from "./status.ts";
import { type ContainerPlace, containerPaths } from "./store.ts";

/**
 * Reads the container's state.
 *
 * Spec: runtime.md#query-state: MUST be an error if there is no such container; runtime.md#state for the keys.
 *
 * @throws `id` fault
 */
export function readState(place: ContainerPlace): ContainerState {
  const paths = containerPaths(place);
  const record = readRecord(paths);
  const status = observe(paths, record);
  const { annotations, bundle, ownerUid, rootfs } = record.tsRunc;
  return {
    ociVersion,
    id: place.id,
    pid: status === "stopped" ? 0 : record.init_process_pid,
    status,
    bundle,
    rootfs,
    created: record.created,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    owner: String(ownerUid),
  };
}
