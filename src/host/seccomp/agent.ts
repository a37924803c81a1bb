// Handing the listener of a filter to the agent that answers for its calls, with word of who is asking.

import { SO_SNDTIMEO, SOL_SOCKET } from "../../abi/socket.ts";
import { timespec } from "../../abi/struct.ts";
import { must } from "../../ffi/execute.ts";
import type { State } from "../../spec/reports.ts";
import type { Seccomp } from "../../spec/seccomp.ts";
import { call, number, struct } from "../../syscall/value.ts";
import type { OwnedFd } from "../files.ts";
import { connectSocket, sendDescriptor } from "../sockets.ts";

/** Who asks: a process of the container, by its pid on the host, and the container. */
export type Asker = { readonly pid: number; readonly container: State };

/** Where the agent listens, and what it is to be told; all of linux.seccomp that matters here. */
export type SeccompAgent = Pick<Seccomp, "listenerPath" | "listenerMetadata">;

/** How long an agent may leave its queue of connections, or its socket, full. */
const agentTimeoutSeconds = 10;

/**
 * Sends the listener in one message with the container process state.
 *
 * Spec: config-linux.md#containerprocessstate; listenerPath MUST be a socket that is connected to.
 *
 * @throws `syscall` fault
 */
export function sendListener(agentOf: SeccompAgent, listener: OwnedFd, asker: Asker): void {
  const { listenerPath = "", listenerMetadata: metadata = "" } = agentOf;
  const { pid, container } = asker;
  using agent = connectSocket(
    listenerPath,
    // runc's words.
    `failed to connect with seccomp agent specified in the seccomp profile ${listenerPath}`,
    limitSending,
  );
  const state = {
    ociVersion: container.ociVersion,
    fds: ["seccompFd"],
    pid,
    ...(metadata === "" ? {} : { metadata }),
    state: container,
  };
  const text = JSON.stringify(state);
  sendDescriptor(agent, listener, {
    text,
    doing: `sending the seccomp agent ${listenerPath} its listener`,
  });
}

/** For connect(2), too: socket(7). */
function limitSending(fd: number): void {
  // `struct timeval` has the same two words.
  const limit = struct(timespec, { tv_sec: number(agentTimeoutSeconds) });
  const option = [number(fd), number(SOL_SOCKET), number(SO_SNDTIMEO)];
  must(
    call("setsockopt", ...option, limit, number(timespec.sizeBytes)),
    "limiting the wait for the seccomp agent",
  );
}
