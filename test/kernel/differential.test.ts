// Configs from all over the property space beside Debian's runc: the same program in the same container has to see the same.
// Needs root.

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
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { runc } from "../cli/executable.ts";
import { makeSpaceConfig, type SpaceConfig, type Surroundings } from "../support/config-space.ts";
import { normalise, probeScript, readParts } from "../support/probe.ts";
import { openRoom, type RuntimeName, slowness } from "../support/room.ts";

const test = suite("kernel/differential");
const room = openRoom("differential");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;

/** Each of them is two containers; on an emulated processor a few of them have to do. */
const count = slowness === 1 ? 320 : 12;
const only = process.env["CONFIG"];

function openSurroundings(): Surroundings & Disposable {
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
function look(runtime: RuntimeName, space: SpaceConfig, known: ReadonlyMap<string, string>): Seen {
  const { directory, rootfs } = room.makeBundle();
  fillRootfs(rootfs, space.rootOwner);
  const { process, ...rest } = space.config;
  const config = {
    ...rest,
    process: { ...Object(process), args: ["sh", "-c", probeScript(space.status)] },
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  const id = room.newId();
  const { status, stdout, stderr } = room.runtime(runtime, ["run", "-b", directory, id]);
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

function differences(ours: Seen, theirs: Seen): readonly string[] {
  const status =
    ours.status === theirs.status
      ? []
      : [`status ${ours.status}, runc ${theirs.status}: ${ours.stderr}${theirs.stderr}`];
  const names = new Set([...ours.parts.keys(), ...theirs.parts.keys()]);
  return [
    ...status,
    ...[...names].flatMap((name) => {
      const [mine, other] = [ours.parts.get(name) ?? [], theirs.parts.get(name) ?? []];
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

beside(`${count} configs look the same from inside`, () => {
  using around = openSurroundings();
  const known = knownNamespaces(around.neighbour);
  const wrong: string[] = [];
  const refused: string[] = [];
  let ran = 0;
  for (let index = 0; index < count; index += 1) {
    if (only !== undefined && Number(only) !== index) continue;
    const space = makeSpaceConfig(index, around);
    const [ours, theirs] = [look("ts-runc", space, known), look("runc", space, known)];
    if (ours.status === space.status && ours.parts.has("end")) ran += 1;
    else refused.push(`${space.name}: ${ours.stderr}`);
    const found = differences(ours, theirs);
    if (found.length > 0)
      wrong.push(`${space.name}\n${found.join("\n")}\n${JSON.stringify(space.config)}`);
  }
  assert.is(wrong.length, 0, `${wrong.length} differ\n${wrong.join("\n\n")}`);
  // Two runtimes that both refuse everything would agree as well.
  if (only === undefined)
    assert.ok(ran > count * 0.9, `${ran} of ${count} ran\n${refused.join("\n")}`);
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
