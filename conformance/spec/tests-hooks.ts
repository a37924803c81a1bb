// Tests of hooks: how they are run, and when (config.md).

import { chmodSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configWith, type Mount, proc } from "./config.ts";
import { type HookKind, hookKinds } from "./demands-hooks.ts";
import { expect, expectMatch, expectSame } from "./expect.ts";
import { parseObject, valueAt } from "./json.ts";
import { type Room, readText, type Test, type Tests } from "./room.ts";

type HookLife = {
  /** What the hooks have written to $mark. */
  readonly text: string;
  readonly id: string;
  readonly rootfs: string;
  /** The mount namespace of the container. */
  readonly namespace: string;
};

const path = "PATH=/bin:/usr/bin:/sbin:/usr/sbin";
const tmpfs: Mount = { destination: "/m", type: "tmpfs", source: "tmpfs" };
/** Puts the pid that a hook is told into $pid. */
const readPid = `pid=$(tr -d ' \\n' | sed 's/.*"pid":\\([0-9]*\\).*/\\1/')`;

/** A container's whole life with hooks that run these scripts in a shell; $mark is a file that all of them can write to. */
function liveWith(
  room: Room,
  scripts: Readonly<Record<string, readonly string[]>>,
  program = "echo is-up; exec sleep 1000",
): HookLife {
  const bundle = room.bundle();
  const inside = "startContainer" in scripts;
  const mark = join(inside ? bundle.rootfs : room.directory, room.newName());
  const seen = inside ? mark.slice(bundle.rootfs.length) : mark;
  const env = [path, `mark=${seen}`, `rootfs=${bundle.rootfs}`];
  const hook = (script: string) => ({ path: "/bin/sh", args: ["sh", "-c", script], env });
  const hooks = Object.fromEntries(
    Object.entries(scripts).map(([name, each]) => [name, each.map(hook)]),
  );
  const process = { args: ["sh", "-c", program], env: ["PATH=/bin", `mark=${seen}`] };
  const config = configWith({ process, hooks, mounts: [proc, tmpfs] });
  writeFileSync(join(bundle.directory, "config.json"), JSON.stringify(config));
  const container = room.createFrom(bundle);
  const namespace = readlinkSync(`/proc/${container.pid()}/ns/mnt`);
  container.start();
  // Some runtimes are back from start before the program runs.
  if (program.includes("is-up")) container.until("is-up");
  container.kill("KILL");
  container.wait();
  container.remove();
  return { text: readText(mark), id: container.id, rootfs: bundle.rootfs, namespace };
}

/** The tests that are the same for each kind of hook. */
function testsOf({ name, runsIn, resolvesIn }: HookKind): readonly (readonly [string, Test])[] {
  return [
    [
      `hook-${name}-path`,
      (room) => {
        const bundle = room.bundle();
        const own = `/${room.newName()}.sh`;
        const place = resolvesIn === "runtime" ? room.directory : bundle.rootfs;
        const script = join(place, own);
        writeFileSync(
          script,
          `#!/bin/sh\ncat >/dev/null\necho run >${resolvesIn === "runtime" ? script : own}.ran\n`,
        );
        chmodSync(script, 0o755);
        const hooks = { [name]: [{ path: resolvesIn === "runtime" ? script : own, env: [path] }] };
        writeFileSync(join(bundle.directory, "config.json"), JSON.stringify(configWith({ hooks })));
        const container = room.createFrom(bundle);
        container.start();
        container.wait();
        container.remove();
        expectSame("the hook", readText(`${script}.ran`), "run\n");
      },
    ],
    [
      `hook-${name}-namespace`,
      (room) => {
        const { text, namespace } = liveWith(room, {
          [name]: ["readlink /proc/self/ns/mnt >>$mark"],
        });
        const own = readlinkSync("/proc/self/ns/mnt");
        expectSame("mount namespace", text.trim(), runsIn === "runtime" ? own : namespace);
      },
    ],
    [
      `hook-${name}-order`,
      (room) => {
        const scripts = ["sleep 0.05; echo 1 >>$mark", "echo 2 >>$mark", "echo 3 >>$mark"];
        expectSame("order", liveWith(room, { [name]: scripts }).text, "1\n2\n3\n");
      },
    ],
    [
      `hook-${name}-state`,
      (room) => {
        const { text, id } = liveWith(room, { [name]: ["cat >>$mark"] });
        expectSame("id of the state", valueAt(parseObject(text), "id"), id);
      },
    ],
  ];
}

/** A hook is run when the namespaces are there and the root is not: its mounts still have the host's paths then. */
function beforePivot(name: string): Test {
  return (room) => {
    const script = `${readPid}; readlink /proc/$pid/ns/mnt >>$mark; cut -d' ' -f5 /proc/$pid/mountinfo >>$mark`;
    const { text, rootfs, namespace } = liveWith(room, { [name]: [script] });
    const [seen, ...mounts] = text.trim().split("\n");
    expectSame("mount namespace", seen, namespace);
    expect(
      mounts.some((mount) => mount.startsWith(rootfs)),
      "the root has been changed",
    );
  };
}

function refusesHook(hook: object): Test {
  return (room) => void room.refuses({ hooks: { createRuntime: [hook] } });
}

export const hookTests: Tests = {
  ...Object.fromEntries(hookKinds.flatMap(testsOf)),
  "hook-path-required": refusesHook({ args: ["true"] }),
  "hook-path-absolute": refusesHook({ path: "bin/true" }),
  "hook-args": (room) => {
    const mark = join(room.directory, room.newName());
    const args = ["sh", "-c", `echo "$0|$1|$2" >${mark}`, "zero", "one two", ""];
    room.create({ hooks: { createRuntime: [{ path: "/bin/sh", args }] } });
    expectSame("arguments", readText(mark), "zero|one two|\n");
  },
  "hook-env": (room) => {
    const { text } = liveWith(room, { createRuntime: ["env >>$mark"] });
    const names = text.split("\n").map((line) => line.split("=")[0]);
    const own = names.filter((name) => !/^(|PWD|OLDPWD|SHLVL|_)$/.test(String(name))).sort();
    expectSame("variables", own, ["PATH", "mark", "rootfs"]);
  },
  "hook-timeout": (room) => {
    const hook = { path: "/bin/sh", args: ["sh", "-c", "exec sleep 20"], env: [path], timeout: 1 };
    const began = performance.now();
    room.refuses({ hooks: { createRuntime: [hook] } });
    expect(performance.now() - began < 10_000, "the hook was waited for");
  },
  "hook-timeout-zero": refusesHook({ path: "/bin/true", timeout: 0 }),
  "prestart-when": beforePivot("prestart"),
  "prestart-first": (room) => {
    const hooks = { createRuntime: ["echo second >>$mark"], prestart: ["echo first >>$mark"] };
    expectSame("order", liveWith(room, hooks).text, "first\nsecond\n");
  },
  "create-runtime-when": beforePivot("createRuntime"),
  "create-container-when": (room) => {
    const script = "cut -d' ' -f5 /proc/self/mountinfo >>$mark";
    const { text, rootfs } = liveWith(room, { createContainer: [script] });
    expect(text.split("\n").includes(join(rootfs, "m")), "the mount is not there");
  },
  "create-container-after": (room) => {
    const hooks = {
      createContainer: ["echo second >>$mark"],
      createRuntime: ["echo first >>$mark"],
    };
    expectSame("order", liveWith(room, hooks).text, "first\nsecond\n");
  },
  "start-container-when": (room) => {
    const hooks = { startContainer: ["sleep 0.05; echo hook >>$mark"] };
    const { text } = liveWith(room, hooks, "echo program >>$mark; echo is-up; exec sleep 1000");
    expectMatch("order", text, /^hook\nprogram\n$/);
  },
  "poststart-when": (room) => {
    const script = `${readPid}; tr '\\0' ' ' </proc/$pid/cmdline >>$mark`;
    expectMatch(
      "cmdline",
      liveWith(room, { poststart: [script] }, "exec sleep 1000").text,
      /^(sh|sleep) /,
    );
  },
  "poststop-when": (room) => {
    const state = room.command("state").map((word) => `'${word}'`);
    const id = `sed 's/.*"id": *"\\([^"]*\\)".*/\\1/' | tr -d '\\n'`;
    const script = `id=$(tr -d '\\n' | ${id}); ${state.join(" ")} "$id" >/dev/null 2>&1 && echo there >>$mark || echo gone >>$mark`;
    expectSame("the container", liveWith(room, { poststop: [script] }).text, "gone\n");
  },
};
