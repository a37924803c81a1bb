// A room in which containers are saved and restored by the real CRIU: a program that counts, and commands that leave no stream of ours behind.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { type Bundle, openRoom, type Room, type RuntimeName, until } from "./room.ts";

export type CheckpointRoom = {
  readonly room: Room;
  /** The name of a directory for images that is not there yet. */
  readonly newImages: () => string;
  /** Runs a command that leaves a process behind, with streams that CRIU can save. Returns its log, and fails with it. */
  readonly quietly: (
    runtime: RuntimeName,
    argv: readonly string[],
    options?: { readonly fails?: boolean },
  ) => string;
  /** Runs the bundle, detached. Returns the container's id. */
  readonly start: (bundle: Bundle, runtime?: RuntimeName) => string;
  /** Saves the container. Returns the directory of its images. */
  readonly save: (id: string, ...options: readonly string[]) => string;
  /** Restores a container from images, detached. Returns its id. */
  readonly restore: (bundle: Bundle, directory: string, ...options: readonly string[]) => string;
  /** Deletes a container that runs. */
  readonly end: (id: string) => Promise<void>;
  /** The last test: nothing is left. What a test that has failed has left would fail others. */
  readonly close: () => Promise<void>;
};

export function openCheckpointRoom(name: string): CheckpointRoom {
  const room = openRoom(name);
  let images = 0;
  const newImages = (): string => {
    images += 1;
    return join(room.directory, `images${images}`);
  };
  const quietly: CheckpointRoom["quietly"] = (runtime, argv, options = {}) => {
    const log = join(room.directory, "log");
    writeFileSync(log, "");
    const child = Bun.spawnSync(room.commandOf(runtime, "--log", log, ...argv), {
      stdio: ["ignore", "ignore", "ignore"],
      cwd: room.directory,
      timeout: 120_000,
      killSignal: "SIGKILL",
    });
    const said = readFileSync(log, "utf8");
    assert.is(child.exitCode === 0, options.fails !== true, `${argv.join(" ")}\n${said}`);
    return said;
  };
  return {
    room,
    newImages,
    quietly,
    start: (bundle, runtime = "ts-runc") => {
      const id = room.newId();
      quietly(runtime, ["run", "--detach", "--bundle", bundle.directory, id]);
      return id;
    },
    save: (id, ...options) => {
      const directory = newImages();
      quietly("ts-runc", ["checkpoint", "--image-path", directory, ...options, id]);
      return directory;
    },
    restore: (bundle, directory, ...options) => {
      const id = room.newId();
      const common = ["--detach", "--bundle", bundle.directory, "--image-path", directory];
      quietly("ts-runc", ["restore", ...common, ...options, id]);
      return id;
    },
    end: async (id) => {
      assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
      assert.equal(await room.leftovers(), []);
    },
    close: () => close(room),
  };
}

async function close(room: Room): Promise<void> {
  for (const runtime of ["ts-runc", "runc"] as const) {
    const states = join(room.directory, runtime === "runc" ? "runc-state" : "state");
    for (const id of existsSync(states) ? readdirSync(states) : []) {
      room.runtime(runtime, ["delete", "--force", id]);
    }
  }
  const left = await room.leftovers();
  room.remove();
  assert.equal(left, []);
}

/** Why CRIU cannot be used here; undefined where it can. */
export function findCriuObstacle(): string | undefined {
  if (Bun.which("criu") === null) return "there is no criu";
  // A module that CRIU looks for without having the kernel load it.
  if (Bun.which("modprobe") !== null) {
    Bun.spawnSync(["modprobe", "tun"], { stdio: ["ignore", "ignore", "ignore"] });
  }
  const { exitCode, stderr } = Bun.spawnSync(["criu", "check"], { stdin: "ignore" });
  const reason = /^Error.*$/m.exec(stderr.toString())?.[0] ?? "";
  return exitCode === 0 ? undefined : `criu does not work with this kernel: ${reason}`;
}

/**
 * A shell's command that counts, in memory, and shows how far it has come in the last line of a file. A line a number: a file that is
 * written anew would be empty for a moment, and stay so when the container is saved or killed in that.
 */
export const counting = "i=0; while true; do i=$((i+1)); echo $i >>/tmp/count; usleep 50000; done";

/** The process of a container that counts. */
export const counter = { args: ["sh", "-c", counting] };

/** How far the container has come. */
export function countOf({ rootfs }: Pick<Bundle, "rootfs">): number {
  const lines = readFileSync(join(rootfs, "tmp/count"), "utf8").trim().split("\n");
  return Number(lines.at(-1));
}

/** Waits until the container has come further. Returns how far. */
export async function untilCounted(bundle: Pick<Bundle, "rootfs">, above = 0): Promise<number> {
  const file = join(bundle.rootfs, "tmp/count");
  await until(() => existsSync(file) && countOf(bundle) > above);
  return countOf(bundle);
}
