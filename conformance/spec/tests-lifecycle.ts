// Tests of the life of containers, of errors and of warnings (runtime.md).

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { groupsOf } from "./cgroups.ts";
import { configWith, proc } from "./config.ts";
import { hookKinds } from "./demands-hooks.ts";
import { expect, expectMatch, expectSame } from "./expect.ts";
import { parseObject, valueAt } from "./json.ts";
import { type Bundle, type Room, readText, type Test, type Tests } from "./room.ts";

const kebab = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * A hook that leaves a file at `mark`, as seen by whoever runs it, and ends with a status. It takes its time, so that a runtime
 * that does not wait for it is seen not to.
 */
function markingHook(mark: string, status = 0): object {
  return {
    path: "/bin/sh",
    args: ["sh", "-c", `cat >/dev/null; sleep 0.1; echo marked >>${mark}; exit ${status}`],
    env: ["PATH=/bin:/usr/bin"],
  };
}

/** A bundle with a program that leaves a file, and a hook that leaves another; the hook's is seen from the host at `mark`. */
function hooked(
  room: Room,
  { name, status = 0 }: { readonly name: string; readonly status?: number },
): { readonly bundle: Bundle; readonly mark: string; readonly ran: string } {
  const bundle = room.bundle();
  const inside = name === "startContainer";
  const mark = join(inside ? bundle.rootfs : room.directory, room.newName());
  const seen = inside ? mark.slice(bundle.rootfs.length) : mark;
  const config = configWith({
    process: { args: ["sh", "-c", "echo >/ran; exec sleep 1000"] },
    hooks: { [name]: [markingHook(seen, status)] },
  });
  writeFileSync(join(bundle.directory, "config.json"), JSON.stringify(config));
  return { bundle, mark, ran: join(bundle.rootfs, "ran") };
}

/** The life of a container with one hook: where each operation has left it, by the hook's file. */
function marksOf(room: Room, name: string): readonly boolean[] {
  const { bundle, mark } = hooked(room, { name });
  const container = room.createFrom(bundle);
  const created = existsSync(mark);
  container.start();
  const started = existsSync(mark);
  container.kill("KILL");
  container.wait();
  container.remove();
  return [created, started, existsSync(mark)];
}

const marksByOperation = {
  create: [true, true, true],
  start: [false, true, true],
  delete: [false, false, true],
};

const invoked = hookKinds.map(({ name, operation }): readonly [string, Test] => [
  `life-${kebab(name)}`,
  (room) =>
    expectSame("run after create, start, delete", marksOf(room, name), marksByOperation[operation]),
]);

const failing = hookKinds
  .filter(({ operation }) => operation !== "delete")
  .map(({ name, operation }): readonly [string, Test] => [
    `life-${kebab(name)}-fails`,
    (room) => {
      const { bundle, mark, ran } = hooked(room, { name, status: 3 });
      const { id, status } = room.tryCreate(bundle);
      if (operation === "create") {
        expect(status > 0, "create succeeds");
        expect(room.call(["state", id]).status !== 0, "the container is there");
      } else {
        expect(status === 0, "create fails");
        expect(room.call(["start", id]).status > 0, "start succeeds");
        const left = valueAt(parseObject(room.call(["state", id]).stdout), "status");
        expect(left === undefined || left === "stopped", `it is ${left}`);
      }
      expect(existsSync(mark), "the hook has not run");
      if (name !== "poststart") expect(!existsSync(ran), "the program has run");
    },
  ]);

export const lifecycleTests: Tests = {
  ...Object.fromEntries(invoked),
  ...Object.fromEntries(failing),
  "life-environment": (room) => {
    const mounts = [proc, { destination: "/m", type: "tmpfs", source: "tmpfs" }];
    const pid = room.create({ mounts, hostname: "made" }).pid();
    expectMatch("mounts", readText(`/proc/${pid}/mountinfo`), / \/m /);
  },
  "life-error": (room) => {
    room.refuses({ mounts: [{ destination: "/m", type: "no-such-filesystem", source: "none" }] });
  },
  "life-resources": (room) => {
    const cgroupsPath = `/${room.newName()}`;
    const container = room.create({ linux: { cgroupsPath } });
    expect(
      groupsOf(container.pid()).some((group) => group.endsWith(cgroupsPath)),
      "no cgroup",
    );
    expectSame("status", container.status(), "created");
  },
  "life-not-run": (room) => {
    const container = room.create({ process: { args: ["sh", "-c", "echo >/ran"] } });
    Bun.sleepSync(100);
    expect(!existsSync(join(container.bundle.rootfs, "ran")), "the program has run");
  },
  "life-config": (room) => {
    const container = room.create({ process: { args: ["echo", "first"] } });
    const changed = configWith({ process: { args: ["echo", "second"] } });
    writeFileSync(join(container.bundle.directory, "config.json"), JSON.stringify(changed));
    container.start();
    container.wait();
    expectSame("output", container.output(), "first\n");
  },
  "life-run": (room) => expectSame("output", room.probe("echo here"), "here"),
  "life-destroy": (room) => {
    const cgroupsPath = `/${room.newName()}`;
    const container = room.create({ linux: { cgroupsPath } });
    const groups = groupsOf(container.pid());
    container.start();
    container.wait();
    container.remove();
    expect(room.call(["state", container.id]).status > 0, "the container is there");
    expectSame(
      "groups",
      groups.filter((group) => group.endsWith(cgroupsPath)).filter(existsSync),
      [],
    );
  },
  "life-poststop-fails": (room) => {
    const { bundle, mark } = hooked(room, { name: "poststop", status: 3 });
    const container = room.createFrom(bundle);
    container.start();
    container.kill("KILL");
    container.wait();
    container.remove();
    expect(existsSync(mark), "the hook has not run");
  },
  "life-poststop-others": (room) => {
    const [first, second] = [room.newName(), room.newName()].map((name) =>
      join(room.directory, name),
    );
    const hooks = { poststop: [markingHook(String(first), 1), markingHook(String(second))] };
    const container = room.create({ hooks });
    container.start();
    container.wait();
    room.call(["delete", container.id]);
    expect(existsSync(String(first)) && existsSync(String(second)), "a hook has not run");
  },
  "errors-nothing": (room) => {
    const cgroupsPath = `/${room.newName()}`;
    const mounts = [
      proc,
      { destination: "/m", type: "tmpfs", source: "tmpfs" },
      { destination: "/mnt", type: "no-such-filesystem", source: "none" },
    ];
    const bundle = room.bundle({ mounts, linux: { cgroupsPath } });
    const { id, status } = room.tryCreate(bundle);
    expect(status > 0, "create succeeds");
    expect(!readText("/proc/self/mountinfo").includes(bundle.directory), "a mount has stayed");
    const groups = groupsOf(process.pid).map((group) =>
      group.replace(/(\/sys\/fs\/cgroup\/?[^/]*).*/, `$1${cgroupsPath}`),
    );
    expectSame("groups", groups.filter(existsSync), []);
    expect(room.call(["state", id]).status > 0, "the container is there");
    expectSame("create again", room.createFrom(room.bundle(), { id }).status(), "created");
  },
  "errors-start": (room) => {
    const container = room.live();
    const before = container.state();
    expect(room.call(["start", container.id]).status > 0, "start succeeds");
    expectSame("state", container.state(), before);
  },
  "warnings-go-on": (room) => {
    const capabilities = { bounding: ["CAP_NOBODY_KNOWS"], permitted: ["CAP_NOBODY_KNOWS"] };
    expectSame("output", room.probe("echo here", { process: { capabilities } }), "here");
  },
  "hooks-operations": (room) => {
    for (const { name, operation } of hookKinds) {
      expectSame(name, marksOf(room, name), marksByOperation[operation]);
    }
  },
};
