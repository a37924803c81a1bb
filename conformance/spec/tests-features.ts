// Tests of the features document, for runtimes that have one (features.md, features-linux.md).

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type Config,
  inUserNamespace,
  type Mount,
  namespaces,
  proc,
  usualNamespaces,
} from "./config.ts";
import { hookKinds } from "./demands-hooks.ts";
import { listenAt } from "./descriptors.ts";
import { expect, expectMatch, expectSame, needs } from "./expect.ts";
import { isObject, type JsonObject, parseObject, textsOf, valueAt } from "./json.ts";
import { type Room, readText, type Test, type Tests } from "./room.ts";

function documentOf(room: Room): JsonObject {
  const { status, stdout } = room.call(["features"]);
  needs(status === 0, "the runtime has no features document, which it need not have");
  const document = parseObject(stdout);
  expect(document !== undefined, "the features document is no JSON object");
  return document ?? {};
}

/** A test of a list of the document; without the list there is nothing to keep. */
function ofList(
  keys: readonly string[],
  test: (room: Room, list: readonly string[]) => void,
): Test {
  return (room) => {
    const list = textsOf(valueAt(documentOf(room), ...keys));
    needs(list.length > 0, `the features document has no ${keys.join(".")}`);
    test(room, list);
  };
}

/** A property is true or false, or not there. */
function isFlag(...keys: readonly string[]): Test {
  return (room) => {
    const value = valueAt(documentOf(room), ...keys);
    expect(value === undefined || value === null || typeof value === "boolean", `it is ${value}`);
  };
}

/** Creates a container with each of these configs. */
function takes(room: Room, configs: readonly (readonly [string, Config])[]): void {
  const refused = configs.flatMap(([name, change]) => {
    const { status, stderr } = room.tryCreate(room.bundle(change));
    return status === 0 ? [] : [`${name}: ${stderr.trim()}`];
  });
  expectSame("refused", refused, []);
}

/** Names that are not known: refused in the very words in which a name that nobody knows is. */
function expectKnown(
  room: Room,
  names: readonly string[],
  { madeUp, change }: { readonly madeUp: string; readonly change: (name: string) => Config },
): void {
  const refusal = (name: string): string => {
    const { status, stderr } = room.tryCreate(room.bundle(change(name)));
    const words = stderr.replace(/time="[^"]*"|^[\d:TZ.+-]+/g, "").replaceAll(name, "NAME");
    return status === 0 ? "" : words;
  };
  const unknown = refusal(madeUp);
  expect(unknown !== "", `${madeUp} is taken`);
  const refused = names.filter((name) => refusal(name) === unknown);
  expectSame("not known", refused, []);
}

/** What the specification defines: a type, or the properties of an object. */
type Shape = "text" | "flag" | "texts" | "map" | { readonly [key: string]: Shape };
const enabled = { enabled: "flag" } as const;
const shape: Shape = {
  ociVersionMin: "text",
  ociVersionMax: "text",
  hooks: "texts",
  mountOptions: "texts",
  annotations: "map",
  potentiallyUnsafeConfigAnnotations: "texts",
  linux: {
    namespaces: "texts",
    capabilities: "texts",
    cgroup: { v1: "flag", v2: "flag", systemd: "flag", systemdUser: "flag", rdma: "flag" },
    seccomp: {
      enabled: "flag",
      actions: "texts",
      operators: "texts",
      archs: "texts",
      knownFlags: "texts",
      supportedFlags: "texts",
    },
    apparmor: enabled,
    selinux: enabled,
    intelRdt: { enabled: "flag", schemata: "flag", monitoring: "flag" },
    memoryPolicy: { modes: "texts", flags: "texts" },
    mountExtensions: { idmap: enabled },
    netDevices: enabled,
  },
};

/** Paths of what a shape does not define. */
function undefinedIn(value: unknown, of: Shape, at = ""): readonly string[] {
  if (typeof of === "string" || !isObject(value)) return [];
  return Object.keys(value).flatMap((key) => {
    const below = of[key];
    return below === undefined ? [`${at}/${key}`] : undefinedIn(value[key], below, `${at}/${key}`);
  });
}

/** Paths of what is of another type than defined; null is absent. */
function wrongIn(value: unknown, of: Shape | undefined, at = ""): readonly string[] {
  if (value === undefined || value === null || of === undefined) return [];
  if (typeof of !== "string") {
    if (!isObject(value)) return [at];
    return Object.keys(value).flatMap((key) => wrongIn(value[key], of[key], `${at}/${key}`));
  }
  const right = {
    text: typeof value === "string",
    flag: typeof value === "boolean",
    texts: Array.isArray(value) && value.every((each) => typeof each === "string"),
    map: isObject(value) && Object.values(value).every((each) => typeof each === "string"),
  };
  return right[of] ? [] : [at];
}

/** A version without what follows the numbers. */
const numbersOf = (version: unknown) => String(version).replace(/-.*/, "").split(".").map(Number);

function seccompWith(change: object, rule: object = {}): Config {
  const syscalls = [{ names: ["acct"], action: "SCMP_ACT_ERRNO", ...rule }];
  return { linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls, ...change } } };
}

/** Options of a mount that each need something of their own. */
const special = ["bind", "rbind", "remount", "idmap", "ridmap"];

export const featuresTests: Tests = {
  "features-null": (room) => expectSame("of a wrong type", wrongIn(documentOf(room), shape), []),
  "features-min": (room) => {
    expectMatch("ociVersionMin", String(documentOf(room)["ociVersionMin"]), /^\d+\.\d+\.\d+/);
  },
  "features-max": (room) => {
    expectMatch("ociVersionMax", String(documentOf(room)["ociVersionMax"]), /^\d+\.\d+\.\d+/);
  },
  "features-min-accepted": (room) => {
    takes(room, [["ociVersionMin", { ociVersion: documentOf(room)["ociVersionMin"] }]]);
  },
  "features-max-accepted": (room) => {
    takes(room, [["ociVersionMax", { ociVersion: documentOf(room)["ociVersionMax"] }]]);
  },
  "features-min-max": (room) => {
    const document = documentOf(room);
    const least = numbersOf(document["ociVersionMin"]);
    const most = numbersOf(document["ociVersionMax"]);
    const at = most.findIndex((number, index) => number !== least[index]);
    expect(at === -1 || Number(most[at]) > Number(least[at]), `${most} is below ${least}`);
  },
  "features-undefined": (room) =>
    expectSame("not defined", undefinedIn(documentOf(room), shape), []),
  "features-hooks": ofList(["hooks"], (room, list) => {
    const known = hookKinds.map(({ name }) => name);
    expectSame(
      "none of the specification's",
      list.filter((name) => !known.includes(name)),
      [],
    );
    for (const name of list) {
      const mark = join(room.directory, room.newName());
      const inside = name === "startContainer";
      const args = ["sh", "-c", `echo run >${inside ? "/mark" : mark}`];
      const container = room.create({ hooks: { [name]: [{ path: "/bin/sh", args }] } });
      container.start();
      container.wait();
      container.remove();
      const file = inside ? join(container.bundle.rootfs, "mark") : mark;
      expectSame(name, readText(file), "run\n");
    }
  }),
  "features-mount-options": ofList(["mountOptions"], (room, list) => {
    const mounts = list
      .filter((option) => !special.includes(option))
      .map(
        (option): Mount => ({
          destination: `/m/${option}`,
          type: "tmpfs",
          source: "tmpfs",
          options: [option],
        }),
      );
    // Nothing can be made below a mount that is read-only: each has a place beside the others.
    takes(room, [["all", { mounts: [proc, ...mounts] }]]);
    const source = join(room.directory, room.newName());
    mkdirSync(source);
    const binds = ["bind", "rbind"].filter((option) => list.includes(option));
    takes(
      room,
      binds.map((option) => [
        option,
        { mounts: [proc, { destination: "/m", source, options: [option] }] },
      ]),
    );
  }),
  "features-mount-data": ofList(["mountOptions"], (_, list) => {
    const data = [
      "size",
      "mode",
      "uid",
      "gid",
      "nr_inodes",
      "nr_blocks",
      "newinstance",
      "ptmxmode",
    ];
    expectSame(
      "of file systems",
      list.filter((name) => name.includes("=") || data.includes(name)),
      [],
    );
  }),
  "features-unsafe": (room) => {
    const list = documentOf(room)["potentiallyUnsafeConfigAnnotations"];
    expect(
      list === undefined || list === null || textsOf(list).every((name) => name !== ""),
      "it is no list",
    );
  },
  "features-annotations": (room) => {
    const annotations = documentOf(room)["annotations"] ?? {};
    expectSame("wrong", wrongIn(annotations, "map", "annotations"), []);
    expect(!isObject(annotations) || !("" in annotations), "an empty key");
  },
  "features-namespaces": ofList(["linux", "namespaces"], (room, list) => {
    const types = list.filter((type) => !usualNamespaces.includes(type) && type !== "user");
    takes(
      room,
      types.map((type) => [type, { linux: { namespaces: namespaces(...usualNamespaces, type) } }]),
    );
    if (list.includes("user")) takes(room, [["user", inUserNamespace]]);
    takes(room, [["usual", {}]]);
  }),
  "features-capabilities": ofList(["linux", "capabilities"], (room, list) => {
    const capabilities = { bounding: list };
    const { status, stderr } = room.tryCreate(room.bundle({ process: { capabilities } }));
    expectSame("exit status", status, 0);
    expectSame(
      "warned of",
      list.filter((name) => stderr.includes(name)),
      [],
    );
  }),
  "features-cgroup": (room) => {
    for (const key of ["v1", "v2", "systemd", "systemdUser", "rdma"]) {
      isFlag("linux", "cgroup", key)(room);
    }
  },
  "features-seccomp-actions": ofList(["linux", "seccomp", "actions"], (room, list) => {
    const socket = join(room.directory, `${room.newName()}.sock`);
    const listener = listenAt(socket);
    room.defer(listener.close);
    takes(
      room,
      list
        // A rule that does what is done anyway is refused by some.
        .filter((action) => action !== "SCMP_ACT_ALLOW")
        .map((action) => [
          action,
          seccompWith(action === "SCMP_ACT_NOTIFY" ? { listenerPath: socket } : {}, { action }),
        ]),
    );
  }),
  "features-seccomp-operators": ofList(["linux", "seccomp", "operators"], (room, list) => {
    takes(
      room,
      list.map((op) => [op, seccompWith({}, { args: [{ index: 0, value: 1, valueTwo: 1, op }] })]),
    );
  }),
  "features-seccomp-archs": ofList(["linux", "seccomp", "archs"], (room, list) => {
    // Not every architecture that is known goes together with this machine's in one filter.
    const change = (name: string) => seccompWith({ architectures: [name] });
    expectKnown(room, list, { madeUp: "SCMP_ARCH_NO_SUCH", change });
  }),
  "features-seccomp-known": ofList(["linux", "seccomp", "knownFlags"], (room, list) => {
    const change = (name: string) => seccompWith({ flags: [name] });
    expectKnown(room, list, { madeUp: "SECCOMP_FILTER_FLAG_NO_SUCH", change });
  }),
  "features-seccomp-supported": ofList(["linux", "seccomp", "supportedFlags"], (room, list) => {
    const listenerPath = join(room.directory, `${room.newName()}.sock`);
    const listener = listenAt(listenerPath);
    room.defer(listener.close);
    takes(
      room,
      list.map((flag) => {
        // This flag is about agents, and means nothing without one.
        const notifies = flag === "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
        const agent = notifies ? { listenerPath } : {};
        const rule = notifies ? { action: "SCMP_ACT_NOTIFY" } : {};
        return [flag, seccompWith({ flags: [flag], ...agent }, rule)];
      }),
    );
  }),
  "features-apparmor": isFlag("linux", "apparmor", "enabled"),
  "features-selinux": isFlag("linux", "selinux", "enabled"),
  "features-rdt": isFlag("linux", "intelRdt", "enabled"),
  "features-memory-modes": ofList(["linux", "memoryPolicy", "modes"], (room, list) => {
    const nodeless = ["MPOL_DEFAULT", "MPOL_LOCAL"];
    takes(
      room,
      list.map((mode) => [
        mode,
        { linux: { memoryPolicy: { mode, nodes: nodeless.includes(mode) ? "" : "0" } } },
      ]),
    );
  }),
  "features-memory-flags": ofList(["linux", "memoryPolicy", "flags"], (room, list) => {
    takes(
      room,
      list.map((flag) => [
        flag,
        { linux: { memoryPolicy: { mode: "MPOL_BIND", nodes: "0", flags: [flag] } } },
      ]),
    );
  }),
  "features-idmap": (room) => {
    const says = valueAt(documentOf(room), "linux", "mountExtensions", "idmap", "enabled");
    const source = join(room.directory, room.newName());
    mkdirSync(source);
    const map = [{ containerID: 0, hostID: 1000, size: 10 }];
    const mount = {
      destination: "/m",
      type: "bind",
      source,
      options: ["bind", "idmap"],
      uidMappings: map,
      gidMappings: map,
    };
    const { status } = room.tryCreate(room.bundle({ mounts: [proc, mount] }));
    if (status === 0) expectSame("enabled", says, true);
  },
  "features-net-devices": isFlag("linux", "netDevices", "enabled"),
};
