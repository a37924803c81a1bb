// The session keyring: a container must not find the keys of whoever started it; keyrings(7).

import { ignore, type Step, step } from "../program/step.ts";
import { call, hex, number, slot, text } from "../syscall/value.ts";

const KEYCTL_JOIN_SESSION_KEYRING = 1;
const KEYCTL_SETPERM = 5;
/** What the kernel gives a session keyring (possessor all; user view, read, link), and search for the user. */
const permissions = 0x3f1b0000;

const doing = "joining a session keyring";

/** Steps that join the session keyring of a container's init, by its name. Run by the process of exec. */
export function joinKeyringOfInit(name: string): Step[] {
  return [
    step(doing, call("keyctl", number(KEYCTL_JOIN_SESSION_KEYRING), text(name)), {
      recovery: ignore("ENOSYS"),
    }),
  ];
}

/** Steps that join a new session keyring of this name. A kernel without keyrings has nothing to hide. Run by init. */
export function joinKeyring(name: string): Step[] {
  return [
    step(doing, call("keyctl", number(KEYCTL_JOIN_SESSION_KEYRING), text(name)), {
      slot: "keyring",
      recovery: { errnos: ["ENOSYS"], steps: [], next: "skip" },
      onSuccess: [
        step(doing, call("keyctl", number(KEYCTL_SETPERM), slot("keyring"), hex(permissions))),
      ],
    }),
  ];
}
