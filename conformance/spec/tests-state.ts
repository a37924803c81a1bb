// Tests of the scope and the state of containers (runtime.md).

import { realpathSync } from "node:fs";
import { expect, expectMatch, expectSame } from "./expect.ts";
import { parseObject, valueAt } from "./json.ts";
import { readText, type Tests, waitFor } from "./room.ts";

/** A hook of the host's that keeps what it reads in a file. */
export function keepingHook(file: string): object {
  return { path: "/bin/sh", args: ["sh", "-c", `cat >>${file}`], env: ["PATH=/bin:/usr/bin"] };
}

export const stateTests: Tests = {
  scope: (room) => {
    const container = room.live();
    expectSame("status", container.status(), "running");
    expect(container.kill("KILL").status === 0, "kill failed");
    container.wait();
    container.remove();
  },
  "state-properties": (room) => {
    const state = room.create().state();
    const missing = ["ociVersion", "id", "status", "pid", "bundle"].filter(
      (key) => !(key in state),
    );
    expectSame("missing properties", missing, []);
  },
  "state-version": (room) => {
    const version = String(valueAt(room.create().state(), "ociVersion"));
    expectMatch("ociVersion", version, /^1\.\d+\.\d+(-[0-9A-Za-z.+-]+)?$/);
  },
  "state-id": (room) => {
    const container = room.create();
    expectSame("id", valueAt(container.state(), "id"), container.id);
  },
  "state-unique": (room) => {
    const container = room.create();
    const pid = container.pid();
    const again = room.tryCreate(room.bundle(), { id: container.id });
    expect(again.status > 0, "a second container with the same id");
    expectSame("pid of the first", container.pid(), pid);
  },
  "state-creating": (room) => {
    const file = `${room.directory}/${room.newName()}`;
    room.create({ hooks: { createRuntime: [keepingHook(file)] } });
    const status = valueAt(parseObject(readText(file)), "status");
    expect(typeof status === "string" && status !== "created", `status: ${status}`);
  },
  "state-created": (room) => expectSame("status", room.create().status(), "created"),
  "state-running": (room) => expectSame("status", room.live().status(), "running"),
  "state-stopped": (room) => {
    const container = room.create();
    container.start();
    container.wait();
    expectSame("status", container.status(), "stopped");
  },
  "state-more": (room) => {
    const container = room.create({ process: { args: ["sleep", "1000"] } });
    const seen = [container.status()];
    container.start();
    seen.push(container.status());
    container.kill("KILL");
    container.wait();
    seen.push(container.status());
    expectSame("statuses", seen, ["created", "running", "stopped"]);
  },
  "state-pid": (room) => {
    const container = room.create({ process: { args: ["sleep", "1000"] } });
    const created = container.pid();
    // The last number is the process's in its own namespace.
    expectMatch("NSpid", readText(`/proc/${created}/status`), /^NSpid:.*\t1$/m);
    container.start();
    expectSame("pid in running", container.pid(), created);
    const runs = () => readText(`/proc/${created}/cmdline`).startsWith("sleep\0");
    expect(waitFor(runs), "the process does not become the program");
  },
  "state-pid-hook": (room) => {
    const file = `${room.directory}/${room.newName()}`;
    const container = room.create({ hooks: { createRuntime: [keepingHook(file)] } });
    expectSame("pid", valueAt(parseObject(readText(file)), "pid"), container.pid());
  },
  "state-bundle": (room) => {
    const container = room.create();
    const bundle = realpathSync(container.bundle.directory);
    expectSame("bundle", valueAt(container.state(), "bundle"), bundle);
  },
  "state-annotations": (room) => {
    const annotations = { "com.example.one": "1", "com.example.two": "two words" };
    const found = valueAt(room.create({ annotations }).state(), "annotations");
    expectSame("annotations", found, annotations);
  },
  "state-json": (room) => {
    const state = room.create({ annotations: { "com.example.key": "value" } }).state();
    const types = ["ociVersion", "id", "status", "bundle"].map((key) => typeof state[key]);
    expectSame("types", types, ["string", "string", "string", "string"]);
    expect(Number.isInteger(valueAt(state, "pid")), "pid is no integer");
    const annotation = valueAt(state, "annotations", "com.example.key");
    expectSame("annotation", annotation, "value");
  },
};
