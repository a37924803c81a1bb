// A room for tests of exec: containers whose program stays, and what runs in them; not what is tested. Needs root.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type { Outcome } from "../cli/executable.ts";
import { openRoom, type Room } from "./room.ts";

export type ExecRoom = {
  readonly room: Room;
  /** Starts a container whose program stays, and returns its id. */
  readonly startContainer: (change?: Parameters<Room["makeBundle"]>[0]) => string;
  readonly exec: (...argv: readonly string[]) => Outcome;
  /** The output of a program that has to succeed. */
  readonly outputOf: (...argv: readonly string[]) => string;
  /** Writes a process file and returns its path. */
  readonly processFile: (process: unknown) => string;
  /** The record of a container. */
  readonly recordOf: (id: string) => { readonly cgroup_paths: Readonly<Record<string, string>> };
  /** Where the host sees the root of a container. */
  readonly rootfsOf: (id: string) => string;
  /** Removes the containers, and returns what is left of them. */
  readonly end: () => Promise<readonly string[]>;
};

/** Opens a room. `name` is part of the ids. */
export function openExecRoom(name: string): ExecRoom {
  const room = openRoom(name);
  const started: string[] = [];
  let files = 0;
  const exec: ExecRoom["exec"] = (...argv) => room.tsRunc(["exec", ...argv]);
  return {
    room,
    startContainer: (change = {}) => {
      const process = { args: ["sleep", "1000"], ...change.process };
      const bundle = room.makeBundle({ ...change, process });
      const id = room.newId();
      started.push(id);
      const { status, stderr } = room.tsRunc(["run", "-d", "-b", bundle.directory, id]);
      assert.is(status, 0, stderr);
      return id;
    },
    exec,
    outputOf: (...argv) => {
      const { status, stdout, stderr } = exec(...argv);
      assert.is(stderr, "");
      assert.is(status, 0);
      return stdout.trim();
    },
    processFile: (process) => {
      files += 1;
      const path = join(room.directory, `process${files}.json`);
      writeFileSync(path, typeof process === "string" ? process : JSON.stringify(process));
      return path;
    },
    recordOf: (id) =>
      JSON.parse(readFileSync(join(room.directory, "state", id, "state.json"), "utf8")),
    rootfsOf: (id) => JSON.parse(room.tsRunc(["state", id]).stdout).rootfs,
    end: async () => {
      for (const id of started) {
        assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
      }
      return await room.leftovers();
    },
  };
}
