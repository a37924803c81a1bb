// A room for tests of checkpoint and restore with a criu that plays scenarios; not what is tested. Needs root.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { present } from "../../src/base/assert.ts";
import type { Outcome } from "../cli/executable.ts";
import { type Asked, type FakeCriu, makeFakeCriu, type Scenario } from "./fake-criu.ts";
import { type Bundle, openRoom, type Room } from "./room.ts";

export type CriuRoom = {
  readonly room: Room;
  readonly criu: FakeCriu;
  /** A bundle whose program stays. */
  readonly sleeper: (change?: Parameters<Room["makeBundle"]>[0]) => Bundle;
  /** Runs the bundle detached, and returns the container's id. */
  readonly start: (bundle: Bundle) => string;
  /** Runs ts-runc with the criu of the scenario. */
  readonly play: (scenario: Scenario, ...argv: readonly string[]) => Outcome;
  /** The one request of this type. */
  readonly request: (type: string) => Asked;
  readonly remove: (id: string) => void;
  /** A directory for images that is not there yet. */
  readonly newImages: () => string;
  /** A directory as a checkpoint leaves it, but for what CRIU reads. */
  readonly savedImages: (streams?: readonly string[]) => string;
  /** Removes what tests that have failed have left, and the room, and returns what stays nevertheless. */
  readonly end: () => Promise<readonly string[]>;
};

/** Opens a room. `name` is part of the ids. */
export function openCriuRoom(name: string): CriuRoom {
  const room = openRoom(name);
  const criu = makeFakeCriu(join(room.directory, "fake"));
  let images = 0;
  const newImages = (): string => {
    images += 1;
    return join(room.directory, `images${images}`);
  };
  const remove = (id: string): void => {
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  };
  return {
    room,
    criu,
    sleeper: (change = {}) =>
      room.makeBundle({ ...change, process: { args: ["sleep", "1000"], ...change.process } }),
    start: (bundle) => {
      const id = room.newId();
      const child = Bun.spawnSync(room.command("run", "-d", "-b", bundle.directory, id), {
        stdio: ["ignore", "ignore", "ignore"],
      });
      assert.is(child.exitCode, 0);
      return id;
    },
    play: (scenario, ...argv) => {
      criu.play(scenario);
      return room.tsRunc(argv, { env: criu.env });
    },
    request: (type) => {
      const found = criu.asked().filter((asked) => asked.type === type);
      assert.is(found.length, 1, `requests of type ${type}`);
      return present(found[0], type);
    },
    remove,
    newImages,
    savedImages: (streams = ["/dev/null", "/dev/null", "/dev/null"]) => {
      const directory = newImages();
      mkdirSync(directory);
      writeFileSync(join(directory, "descriptors.json"), JSON.stringify(streams));
      return directory;
    },
    end: async () => {
      const root = join(room.directory, "state");
      for (const id of existsSync(root) ? readdirSync(root) : []) remove(id);
      const left = await room.leftovers();
      room.remove();
      return left;
    },
  };
}

/** The text of the last error of the log. */
export function lastError({ stderr }: Outcome): string {
  return /msg="?(.*?)"?$/.exec(stderr.trim().split("\n").at(-1) ?? "")?.[1] ?? stderr;
}
