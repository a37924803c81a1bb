// A terminal of a container, as its caller is sent it.

import { readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { closeAll, listenAt } from "./descriptors.ts";
import { Unmet } from "./expect.ts";
import type { Room } from "./room.ts";

/** What a shell script prints on the terminal of its container. */
export function probeTerminal(room: Room, script: string, change: Config = {}): string {
  const socket = join(room.directory, `${room.newName()}.sock`);
  const listener = listenAt(socket);
  room.defer(listener.close);
  const process = { ...change.process, terminal: true, args: ["sh", "-c", script] };
  const container = room.create({ ...change, process }, { options: ["--console-socket", socket] });
  const [master] = listener.receive()?.parts[0]?.descriptors ?? [];
  if (master === undefined) throw new Unmet("no terminal is sent to the console socket");
  room.defer(() => closeAll([master]));
  container.start();
  // The echo of our own line comes anywhere.
  return readTerminal(master)
    .replaceAll("\r", "")
    .replace(/\n{2,}/g, "\n")
    .trim();
}

/** Reads until nobody has the terminal any more, which the kernel says by EIO. */
function readTerminal(master: number): string {
  const bytes = new Uint8Array(4096);
  let text = "";
  // What waits for input gets a line.
  writeSync(master, "\n");
  for (;;) {
    try {
      const count = readSync(master, bytes);
      if (count === 0) return text;
      text += new TextDecoder().decode(bytes.subarray(0, count));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EIO") return text;
      throw error;
    }
  }
}
