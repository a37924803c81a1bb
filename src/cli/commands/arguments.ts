// The arguments that many commands share, as the parser counts them and as help describes them.

import type { Candidates } from "../options.ts";

export const one = { min: 1, max: 1 } as const;
export const none = { min: 0, max: 0 } as const;

/** The id of a container that is about to be made. */
export const newInstance = `<container-id>

The id is your name for the container, unique in the state root. It is made of
letters, digits and _ + - .`;

/** The id of a container that there is. */
export const instance = "<container-id>";

/** Containers of every status. */
export const anyContainer: Candidates = { containers: ["created", "running", "paused", "stopped"] };
/** Containers that have a process. */
export const liveContainer: Candidates = { containers: ["created", "running", "paused"] };
