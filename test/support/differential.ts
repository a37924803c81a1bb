// Two runtimes beside each other: the same config in bundles of their own, and what their programs have seen. Needs root.

import {
  chownSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import type { SpaceConfig, Surroundings } from "./config-space.ts";
import { runCrun } from "./crun.ts";
import { normalise, probeScript, readParts } from "./probe.ts";
import type { Room, RuntimeName } from "./room.ts";

export type Comparison = {
  readonly count: number;
  readonly make: (index: number, around: Surroundings) => SpaceConfig;
  readonly other: Exclude<RuntimeName, "ts-runc"> | "crun";
  /** Takes out of a part what does not count. */
  readonly simplify?: (part: string, lines: readonly string[]) => readonly string[];
};

type Found = {
  /** The configs under which the two differ, with how. */
  readonly wrong: readonly string[];
  /** How many have run to their end under ts-runc. */
  readonly ran: number;
  readonly refused: readonly string[];
};

/** Expects the same from inside under both runtimes. */
export function expectSame(room: Room, comparison: Comparison): void {
  const { wrong, ran, refused } = compare(room, comparison);
  assert.is(wrong.length, 0, `${wrong.length} differ\n${wrong.join("\n\n")}`);
  // Two runtimes that both refuse everything would agree as well.
  const { count } = comparison;
  assert.ok(ran > count * 0.9, `${ran} of ${count} ran\n${refused.join("\n")}`);
}

/** Runs the configs of a comparison under both; only that with the number in CONFIG when there is one. */
function compare(room: Room, { count, make, other, simplify = keepAll }: Comparison): Found {
  using around = openSurroundings(room);
  const known = knownNamespaces(around.neighbour);
  const only = process.env["CONFIG"];
  const wrong: string[] = [];
  const refused: string[] = [];
  let ran = 0;
  for (let index = 0; index < count; index += 1) {
    if (only !== undefined && Number(only) !== index) continue;
    const space = make(index, around);
    const ours = look(room, "ts-runc", { space, known });
    const theirs = look(room, other, { space, known });
    if (ours.status === space.status && ours.parts.has("end")) ran += 1;
    else refused.push(`${space.name}: ${ours.stderr}`);
    const found = differences(ours, theirs, simplify);
    if (found.length > 0)
      wrong.push(`${space.name}\n${found.join("\n")}\n${JSON.stringify(space.config)}`);
  }
  return { wrong, ran: only === undefined ? ran : count, refused };
}

function keepAll(_: string, lines: readonly string[]): readonly string[] {
  return lines;
}

function openSurroundings(room: Room): Surroundings & Disposable {
  const volume = join(room.directory, "volume");
  mkdirSync(volume);
  writeFileSync(join(volume, "file"), "of the volume");
  const neighbour = Bun.spawn(["unshare", "--net", "--uts", "--ipc", "sleep", "100000"]);
  const cgroupVersion = readCgroupHost().version === "v2" ? "v2" : "v1";
  return {
    volume,
    neighbour: neighbour.pid,
    cgroupVersion,
    [Symbol.dispose]: () => neighbour.kill("SIGKILL"),
  };
}

type Seen = {
  readonly status: number;
  readonly parts: ReadonlyMap<string, readonly string[]>;
  readonly stderr: string;
};

/** Runs the config with a runtime, in a bundle of its own, and returns what its program has seen. */
function look(
  room: Room,
  runtime: Comparison["other"] | "ts-runc",
  { space, known }: { readonly space: SpaceConfig; readonly known: ReadonlyMap<string, string> },
): Seen {
  const { directory, rootfs } = room.makeBundle();
  fillRootfs(rootfs, space.rootOwner);
  const { process, ...rest } = space.config;
  const config = {
    ...rest,
    process: { ...Object(process), args: ["sh", "-c", probeScript(space.status)] },
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  const id = room.newId();
  const argv = ["run", "-b", directory, id];
  const { status, stdout, stderr } =
    runtime === "crun" ? runCrun(room, ...argv) : room.runtime(runtime, argv);
  const parts = [...readParts(stdout)].map(
    ([part, lines]) =>
      [part, lines.map((line) => normalise(part, line, { id, bundle: directory, known }))] as const,
  );
  rmSync(directory, { recursive: true, force: true });
  return { status, parts: new Map(parts), stderr };
}

function fillRootfs(rootfs: string, owner: number): void {
  for (const name of ["mnt", "tmp/below", "opt/here"])
    mkdirSync(join(rootfs, name), { recursive: true });
  writeFileSync(join(rootfs, "etc/file"), "of the image");
  symlinkSync("file", join(rootfs, "etc/link"));
  symlinkSync("/tmp", join(rootfs, "link-to-tmp"));
  symlinkSync("mnt", join(rootfs, "link-to-mnt"));
  if (owner === 0) return;
  for (const name of ["", ...readdirSync(rootfs)]) chownSync(join(rootfs, name), owner, owner);
}

function knownNamespaces(pid: number): ReadonlyMap<string, string> {
  const of = (which: number | "self", who: string): readonly (readonly [string, string])[] =>
    readdirSync(`/proc/${which}/ns`).map((name) => [
      readlinkSync(`/proc/${which}/ns/${name}`),
      `${who} ${name.replace("_for_children", "")}`,
    ]);
  return new Map([...of(pid, "neighbour's"), ...of("self", "host's")]);
}

function differences(
  ours: Seen,
  theirs: Seen,
  simplify: NonNullable<Comparison["simplify"]>,
): readonly string[] {
  const status =
    ours.status === theirs.status && ours.parts.has("end") === theirs.parts.has("end")
      ? []
      : [`status ${ours.status}, not ${theirs.status}: ${ours.stderr}${theirs.stderr}`];
  const names = new Set([...ours.parts.keys(), ...theirs.parts.keys()]);
  return [
    ...status,
    ...[...names].flatMap((name) => {
      const mine = simplify(name, ours.parts.get(name) ?? []);
      const other = simplify(name, theirs.parts.get(name) ?? []);
      if (mine.join("\n") === other.join("\n")) return [];
      const extra = mine.filter((line) => !other.includes(line)).map((line) => `  + ${line}`);
      const lost = other.filter((line) => !mine.includes(line)).map((line) => `  - ${line}`);
      return [
        `${name}:`,
        ...(extra.length + lost.length > 0
          ? [...extra, ...lost]
          : [
              "  in another order",
              ...mine.map((line) => `  | ${line}`),
              "  not",
              ...other.map((line) => `  | ${line}`),
            ]),
      ];
    }),
  ];
}
