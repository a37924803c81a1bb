// The directory with the socket on which the container tells that it is ready: attached in the rootfs; sd_notify(3).

import { type Step, step } from "../program/step.ts";
import { close } from "../syscall/files.ts";
import { moveMount } from "../syscall/mounts.ts";
import { slot } from "../syscall/value.ts";
import { openTarget } from "./root-paths.ts";

/**
 * Steps that attach the mount that the runtime has handed in as descriptor `treeFd` at `directory`. Run by init, after all other mounts.
 *
 * It is the one mount that is not opened inside: with a user namespace init may not walk through the state root. What the
 * host locks is not at stake: the directory is the runtime's own and has nothing but the socket.
 */
export function attachNotifyDirectory(treeFd: number, directory: string): Step[] {
  const doing = `error mounting the notify socket to rootfs at "${directory}"`;
  return [
    openTarget(doing, directory, { slot: "notify", kind: "directory" }),
    step(doing, moveMount(treeFd, slot("notify"))),
    step(doing, close(slot("notify"))),
    step(doing, close(treeFd)),
  ];
}
