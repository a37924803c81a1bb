// The part of update that is about resctrl: loaded only when the caller has said something of it.

import {
  changeSchemata,
  enterResctrl,
  findHostResctrl,
  type NewSchemata,
  planResctrl,
} from "../host/resctrl.ts";
import { type ContainerRecord, writeRecord } from "./record.ts";
import type { ContainerPaths } from "./store.ts";

/**
 * Gives the container's class new schemata; a container without one gets a class of its own, and its init is put there, as
 * by runc.
 *
 * @returns takes it back
 * @throws `refused`, `syscall` faults
 */
export function updateSchemata(
  paths: ContainerPaths,
  record: ContainerRecord,
  asked: NewSchemata,
): () => void {
  findHostResctrl(asked);
  if (record.intel_rdt_path !== "") return changeSchemata(record.intel_rdt_path, asked);
  const plan = planResctrl(record.id, asked);
  const madeResctrl = [...plan.missing];
  // Recorded before it is made, so that delete finds it.
  writeRecord(paths, {
    ...record,
    intel_rdt_path: plan.group,
    tsRunc: { ...record.tsRunc, madeResctrl },
  });
  const takeBack = (): void => writeRecord(paths, record);
  try {
    const entered = enterResctrl(record.init_process_pid, plan);
    return () => {
      entered[Symbol.dispose]();
      takeBack();
    };
  } catch (error) {
    takeBack();
    throw error;
  }
}
