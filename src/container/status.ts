// The states of a container's life and which command each allows; runtime.md#state, and runc's words where one is refused.

import { raise } from "../base/fault.ts";

export type Status = "creating" | "created" | "running" | "paused" | "stopped";

/** What `state` and `list` show; the keys are runc's, in its order. */
export type ContainerState = {
  readonly ociVersion: string;
  readonly id: string;
  /** 0 when stopped. */
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
};

type Verb =
  | "start"
  | "exec"
  | "events"
  | "kill"
  | "delete"
  | "pause"
  | "resume"
  | "update"
  | "checkpoint";

/** Verb and status to the refusal, or undefined where the verb is accepted. The table is also the documentation. */
const refusals: Readonly<Record<Verb, Readonly<Record<Status, string | undefined>>>> = {
  // Spec: runtime.md#start: MUST be an error if the container is not created.
  start: {
    creating: "container is still being created",
    created: undefined,
    running: "cannot start an already running container",
    paused: "cannot start an already running container",
    stopped: "cannot start a container that has stopped",
  },
  exec: {
    creating: "container is still being created",
    created: undefined,
    running: undefined,
    paused: "cannot exec in a paused container (use --ignore-paused to override)",
    stopped: "cannot exec in a stopped container",
  },
  events: {
    creating: "container is still being created",
    created: undefined,
    running: undefined,
    paused: undefined,
    stopped: "container with id ID is not running",
  },
  // Spec: runtime.md#kill: MUST be an error if it is neither created nor running.
  kill: {
    creating: "container is still being created",
    created: undefined,
    running: undefined,
    paused: undefined,
    stopped: "container not running",
  },
  // Spec: runtime.md#delete: MUST be an error if it is not stopped; a created one is killed first, as by runc.
  delete: {
    creating: "container is still being created",
    created: undefined,
    running: "cannot delete container ID that is not stopped: running",
    paused: "cannot delete container ID that is not stopped: paused",
    stopped: undefined,
  },
  pause: {
    creating: "container is still being created",
    created: undefined,
    running: undefined,
    paused: "container not running",
    stopped: "container not running",
  },
  update: {
    creating: "container is still being created",
    created: undefined,
    running: undefined,
    paused: undefined,
    stopped: "container not running",
  },
  resume: {
    creating: "container is still being created",
    created: "container not paused",
    running: "container not paused",
    paused: undefined,
    stopped: "container not paused",
  },
  // Without a start there is nothing to save but what config.json says.
  checkpoint: {
    creating: "container is still being created",
    created: "Container cannot be checkpointed in created state",
    running: undefined,
    paused: undefined,
    stopped: "Container cannot be checkpointed in stopped state",
  },
};

/**
 * Refuses a verb that the status does not allow.
 *
 * @throws `status` fault with runc's words
 */
export function requireStatus(verb: Verb, id: string, status: Status): void {
  const refusal = refusals[verb][status];
  if (refusal === undefined) return;
  raise({ kind: "status", message: refusal.replace(" ID ", ` ${id} `) });
}
