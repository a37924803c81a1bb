// Tests of the operations: what each does, and when it refuses (runtime.md).

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { groupsOf } from "./cgroups.ts";
import { namespaces, proc, usualNamespaces } from "./config.ts";
import { expect, expectMatch, expectSame } from "./expect.ts";
import { parseObject, valueAt } from "./json.ts";
import { type Container, type Room, readText, type Test, type Tests } from "./room.ts";

const sleeper = { process: { args: ["sleep", "1000"] } };

/** A container that has stopped, and leaves a line in /runs each time that its program runs. */
function stopped(room: Room): Container {
  const container = room.create({ process: { args: ["sh", "-c", "echo run >>/runs"] } });
  container.start();
  container.wait();
  return container;
}

const runsOf = ({ bundle }: Container): string => readText(join(bundle.rootfs, "runs"));

/** An operation without an id. */
function withoutId(operation: string): Test {
  return (room) => expect(room.call([operation]).status > 0, `${operation} succeeds`);
}

function ofUnknown(operation: string): Test {
  return (room) =>
    expect(room.call([operation, room.newName()]).status > 0, `${operation} succeeds`);
}

export const operationTests: Tests = {
  operations: (room) => {
    const container = room.create(sleeper);
    expect(container.status() === "created", "state");
    container.start();
    expect(container.kill("KILL").status === 0, "kill failed");
    container.wait();
    container.remove();
  },
  "query-no-id": withoutId("state"),
  "query-unknown": ofUnknown("state"),
  "query-state": (room) => {
    const { id } = room.create();
    const { status, stdout } = room.call(["state", id]);
    expectSame("exit status", status, 0);
    expectSame("id", valueAt(parseObject(stdout), "id"), id);
  },
  "create-no-id": (room) => {
    const { directory } = room.bundle();
    expect(room.call(["create", "--bundle", directory]).status > 0, "create succeeds");
  },
  "create-no-bundle": (room) => {
    const empty = join(room.directory, room.newName());
    mkdirSync(empty);
    const id = room.newName();
    expect(room.call(["create", id], empty).status > 0, "create succeeds");
    expect(room.call(["create", "--bundle", join(empty, "no"), id]).status > 0, "create succeeds");
  },
  "create-taken": (room) => {
    const { id } = room.create();
    expect(room.tryCreate(room.bundle(), { id }).status > 0, "create succeeds");
  },
  "create-taken-kept": (room) => {
    const container = room.create(sleeper);
    const before = container.state();
    room.tryCreate(room.bundle(), { id: container.id });
    expectSame("state", container.state(), before);
    container.start();
  },
  "create-invalid": (room) => {
    for (const id of ["", "a/b", ".."]) {
      const { status } = room.call(["create", "--bundle", room.bundle().directory, id]);
      expect(status > 0, `create succeeds with the id ${JSON.stringify(id)}`);
    }
  },
  "create-container": (room) => expectSame("status", room.create().status(), "created"),
  "create-applies": (room) => {
    const pid = room.create({ root: { path: "rootfs", readonly: true } }).pid();
    expectMatch("root", readText(`/proc/${pid}/mountinfo`), / \/ \/? ?ro,| \/ ro/);
    expect(readText(`/proc/${pid}/uid_map`) !== "", "no process");
  },
  "create-args": (room) => {
    const container = room.create({ process: { args: ["sh", "-c", "echo >/ran; sleep 1000"] } });
    expect(!/^sh\0-c/.test(readText(`/proc/${container.pid()}/cmdline`)), "the program runs");
    expect(!existsSync(join(container.bundle.rootfs, "ran")), "the program has run");
  },
  "create-cannot": (room) => {
    room.refuses({
      mounts: [proc, { destination: "/m", type: "bind", source: "no", options: ["bind"] }],
    });
  },
  "create-cannot-none": (room) => {
    const bundle = room.bundle({ linux: { sysctl: { "kernel.no-such-parameter": "1" } } });
    const { id, status } = room.tryCreate(bundle);
    expect(status > 0, "create succeeds");
    expect(room.call(["state", id]).status > 0, "the container is there");
    expect(room.call(["start", id]).status > 0, "start succeeds");
  },
  "start-no-id": withoutId("start"),
  "start-unknown": ofUnknown("start"),
  "start-running": (room) => {
    expect(room.call(["start", room.live().id]).status > 0, "start succeeds");
  },
  "start-running-kept": (room) => {
    const container = room.live({}, "echo run >>/runs");
    const pid = container.pid();
    room.call(["start", container.id]);
    expectSame("pid", container.pid(), pid);
    expectSame("status", container.status(), "running");
    expectSame("runs", runsOf(container), "run\n");
  },
  "start-stopped": (room) => {
    expect(room.call(["start", stopped(room).id]).status > 0, "start succeeds");
  },
  "start-stopped-kept": (room) => {
    const container = stopped(room);
    room.call(["start", container.id]);
    expectSame("status", container.status(), "stopped");
    expectSame("runs", runsOf(container), "run\n");
  },
  "start-runs": (room) => {
    const container = room.create({ process: { args: ["echo", "one", "two  words", ""] } });
    container.start();
    container.wait();
    expectSame("output", container.output(), "one two  words \n");
  },
  "start-no-process": (room) => {
    room.refusesToRun({ process: undefined });
  },
  "kill-no-id": withoutId("kill"),
  "kill-stopped": (room) => {
    expect(stopped(room).kill("KILL").status > 0, "kill succeeds");
  },
  "kill-stopped-kept": (room) => {
    const container = stopped(room);
    container.kill("KILL");
    expectSame("status", container.status(), "stopped");
  },
  "kill-sends": (room) => {
    const container = room.live(
      {},
      'for s in USR1 HUP; do trap "echo got $s" $s; done; echo is-up; while :; do usleep 10000; done',
    );
    for (const signal of ["USR1", "HUP"]) {
      expect(container.kill(signal).status === 0, "kill failed");
      container.until(`got ${signal}`);
    }
  },
  "kill-created": (room) => {
    const container = room.create(sleeper);
    container.pid();
    expect(container.kill("KILL").status === 0, "kill failed");
    container.wait();
    expectSame("status", container.status(), "stopped");
  },
  "delete-no-id": withoutId("delete"),
  "delete-unknown": ofUnknown("delete"),
  "delete-created": (room) => {
    expect(room.call(["delete", room.create().id]).status > 0, "delete succeeds");
  },
  "delete-created-kept": (room) => {
    const container = room.create();
    room.call(["delete", container.id]);
    expectSame("status", container.status(), "created");
  },
  "delete-running": (room) => {
    expect(room.call(["delete", room.live().id]).status > 0, "delete succeeds");
  },
  "delete-running-kept": (room) => {
    const container = room.live();
    const before = container.state();
    room.call(["delete", container.id]);
    expectSame("state", container.state(), before);
  },
  "delete-resources": (room) => {
    const cgroupsPath = `/${room.newName()}/below`;
    const container = room.create({ linux: { cgroupsPath, resources: { pids: { limit: 10 } } } });
    const groups = groupsOf(container.pid()).filter((group) => group.endsWith(cgroupsPath));
    expect(groups.length > 0, "no groups");
    room.defer(() => removeParents(groups));
    container.start();
    container.wait();
    container.remove();
    expectSame("groups", groups.filter(existsSync), []);
  },
  "delete-others": (room) => {
    const owner = room.live();
    const path = `/proc/${owner.pid()}/ns/ipc`;
    const source = join(room.directory, room.newName());
    mkdirSync(source);
    const mounts = [proc, { destination: "/m", type: "bind", source, options: ["bind"] }];
    const joined = namespaces(...usualNamespaces.filter((type) => type !== "ipc"));
    room.probe("echo >/m/file", {
      mounts,
      linux: { namespaces: [...joined, { type: "ipc", path }] },
    });
    expect(existsSync(path), "the namespace has gone");
    expect(existsSync(join(source, "file")), "the source of the mount has gone");
    expectSame("status of the other", owner.status(), "running");
  },
};

/** What the runtime has made above a container's groups is not the container's. */
function removeParents(groups: readonly string[]): void {
  for (const group of groups) Bun.spawnSync(["rmdir", join(group, "..")], { stderr: "ignore" });
}
