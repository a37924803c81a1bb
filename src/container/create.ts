// create: from a bundle to a parked init, whose pid is in the pid file when the command exits.

import { during } from "../base/fault.ts";
import { pidfdReceiverOf } from "../spec/annotations.ts";
import { openConsole, sendTerminal } from "./console.ts";
import { makeContainer } from "./make.ts";
import { writePidFile } from "./pid-file.ts";
import { openPidfdSocket, sendPidfd } from "./pidfd-socket.ts";
import { type CreateOptions, prepare } from "./prepare.ts";

/**
 * Creates the container. Parking init is the last thing that can fail: until then it dies with us.
 *
 * Spec: runtime.md#create: MUST be an error if the id is not unique; the program MUST NOT be run yet.
 *
 * @throws FaultError; nothing is left then
 */
export async function createContainer(options: CreateOptions): Promise<void> {
  const prepared = await prepare(options, { detached: true, fate: "parked" });
  using console = openConsole(options.consoleSocket);
  using pidfdReceiver = openPidfdSocket(options.pidfdSocket ?? pidfdReceiverOf(prepared.spec));
  const made = await makeContainer(options, prepared, "parked");
  try {
    if (options.pidFile !== undefined) writePidFile(options.pidFile, made.init.pid);
    sendTerminal(console, made.terminal);
    sendPidfd(pidfdReceiver, { pid: made.init.pid, origin: "standard" });
    during("unable to start container process", made.park);
  } catch (error) {
    await made.undo();
    throw error;
  }
}
