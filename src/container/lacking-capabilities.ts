// Says which capabilities the kernel could not give because the runtime has not got them itself; loaded where something has failed.

import { isCapabilityName } from "../abi/capability.ts";
import { FaultError } from "../base/fault.ts";
import { readCapabilities } from "../host/processes.ts";
import { capabilityMask } from "../inside/credentials.ts";
import type { Capabilities } from "../spec/types.ts";

/** The error in place of a refusal by capset(2), which does not say what it minds. */
export function explainCapabilities(error: unknown, sets: Capabilities = {}): unknown {
  if (!(error instanceof FaultError)) return error;
  const { fault } = error;
  if (fault.kind !== "syscall" || fault.call !== "capset" || fault.errno !== "EPERM") return error;
  const own = readCapabilities("self", "CapPrm");
  const asked = new Set([...(sets.permitted ?? []), ...(sets.inheritable ?? [])]);
  const lacking = [...asked].filter(
    (name) => isCapabilityName(name) && (capabilityMask([name]) & own) === 0n,
  );
  if (lacking.length === 0) return error;
  const doing = `${fault.doing}: process.capabilities has ${lacking.join(", ")}, which the runtime lacks`;
  return new FaultError({ ...fault, doing }, { cause: error, during: error.during });
}
