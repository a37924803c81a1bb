// Kills the runtime at every moment of an exec: its process may not be left on the way. Needs root.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openExecRoom } from "../support/exec-room.ts";
import { slowness } from "../support/room.ts";

const test = suite("kernel/exec-crash");
const execRoom = openExecRoom("exec-crash");
const { room, startContainer, outputOf } = execRoom;
const rounds = slowness === 1 ? 60 : 5;
/** Longer than an exec takes from its start on; the moments are spread evenly over it. */
const workMs = 24 * slowness;

function commOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    // It has ended since it was listed.
    return "";
  }
}

function placeOf(pid: string, link: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${link}`);
  } catch {
    // It has ended, or is a zombie.
    return "";
  }
}

/**
 * Our stubs and what has become of them before execve: still in our directory, or already in the container. With them the child of
 * posix_spawn, which has the runtime's name until it executes the stub, and does so even when the runtime is dead.
 */
function stubs(init: number): readonly string[] {
  const namespace = placeOf(`${init}`, "ns/pid");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && ["ts-runc", "ts-runc:init"].includes(commOf(name)))
    .filter((pid) => placeOf(pid, "cwd") === room.directory || placeOf(pid, "ns/pid") === namespace)
    .filter((pid) => placeOf(pid, "exe") !== "");
}

/** What one look misses, because it was born during the look to one that ended, the next one sees. */
async function untilNone(init: number): Promise<readonly string[]> {
  let left: readonly string[] = [];
  for (let tries = 0, empty = 0; tries < 100 && empty < 2; tries += 1) {
    left = stubs(init);
    empty = left.length === 0 ? empty + 1 : 0;
    if (left.length > 0) await Bun.sleep(20);
  }
  return left;
}

const mappings = [{ containerID: 0, hostID: 0, size: 65536 }];
const types = ["pid", "mount", "network", "ipc", "uts"].map((type) => ({ type }));

for (const [where, linux] of [
  ["a container", { namespaces: types }],
  [
    "a user namespace",
    {
      namespaces: [...types, { type: "user" }],
      uidMappings: mappings,
      gidMappings: mappings,
    },
  ],
  ["a container without a pid namespace", { namespaces: [{ type: "mount" }] }],
] as const) {
  test(`a runtime that is killed on the way into ${where} leaves no process but a program that runs`, async () => {
    const id = startContainer({ linux });
    const init = room.state(id)?.pid ?? 0;
    let ran = 0;
    let cut = 0;
    for (let round = 0; round < rounds; round += 1) {
      const child = Bun.spawn(room.command("exec", "-d", id, "sleep", "1000"), {
        cwd: room.directory,
        stdio: ["ignore", "ignore", "ignore"],
      });
      // Not the timer of the event loop: it is as coarse as what is to be hit.
      for (const end = performance.now() + (workMs * round) / rounds; performance.now() < end; );
      child.kill("SIGKILL");
      await child.exited;
      if (child.signalCode === "SIGKILL") cut += 1;
      assert.equal(await untilNone(init), [], `round ${round}`);
      ran += 1;
    }
    assert.is(ran, rounds);
    assert.ok(cut > rounds / 4, `${cut} of ${rounds} were killed on the way`);
    assert.is(outputOf(id, "echo", "still there"), "still there");
    assert.is(room.tsRunc(["kill", id, "KILL"]).status, 0);
  });
}

test("nothing is left behind", async () => {
  assert.equal(await execRoom.end(), []);
});

test.after(room.remove);

test.run();
