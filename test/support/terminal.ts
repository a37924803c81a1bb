// Terminals for tests: a shell command that has one of its own, and what comes out of a master; needs script(1).

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executeForOutput, must } from "../../src/ffi/execute.ts";
import type { OwnedFd } from "../../src/host/files.ts";
import { read } from "../../src/syscall/files.ts";
import { ppoll } from "../../src/syscall/sockets.ts";
import { runBriefly, slowness } from "./room.ts";

export const hasScript = existsSync("/usr/bin/script");

/** What a container needs to have terminals. */
export const terminalMounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["mode=755"] },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["newinstance", "ptmxmode=0666", "mode=0620"],
  },
];

/** Runs a shell command, kept in `directory`, with a terminal of its own into which another one's output is typed. */
export function inTerminal(
  directory: string,
  command: string,
  typist = "true",
): { readonly status: number; readonly output: string } {
  const file = join(directory, "command.sh");
  writeFileSync(file, command);
  const shell = `(${typist}) | script -qec 'sh ${file}' /dev/null`;
  const { status, stdout } = runBriefly(["sh", "-c", shell]);
  // At the end of its own input script(1) types an end of file at some time, which the terminal echoes.
  return { status, output: stdout.replaceAll(/\r|\^[@D]/g, "") };
}

/** A typist for `inTerminal` that waits until a file is there: what comes earlier is for our own terminal. */
export function typeOnce(file: string, keys: string): string {
  return `while [ ! -e ${file} ]; do sleep 0.1; done; printf '${keys}'; sleep 2`;
}

/** Reads from a master until this text has come, or nothing comes any more. */
export function readUntil(master: OwnedFd, text: string): string {
  let output = "";
  for (let tries = 0; !output.includes(text) && tries < 100; tries += 1) {
    must(ppoll(master.fd, 1, 1000 * slowness), "waiting for output");
    const { result, output: bytes } = executeForOutput(read(master.fd, 4096));
    if (result <= 0) break;
    output += new TextDecoder().decode(bytes.subarray(0, result));
  }
  return output;
}
