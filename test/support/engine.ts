// What tests of container engines share: an image made on the spot, steps taken with two runtimes, and the comparison.

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { executable, type Outcome, type RunOptions, runc } from "../cli/executable.ts";
import { type Room, type RuntimeName, runBriefly } from "./room.ts";

export const imageName = "localhost/ts-runc-test:1";

/**
 * Makes an image of busybox without a registry: one tar that is an OCI layout and a docker archive over the same blobs, which
 * every engine takes.
 */
export function makeImage(room: Room): string {
  const { rootfs } = room.makeBundle();
  writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\n");
  writeFileSync(join(rootfs, "etc/plain"), "", { mode: 0o644 });
  const directory = join(room.directory, "image");
  mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
  const layer = join(directory, "layer");
  tar(layer, rootfs, ".");
  const layerBlob = keepBlob(directory, layer);
  const json = (value: unknown): Blob => {
    const file = join(directory, "document");
    writeFileSync(file, JSON.stringify(value));
    return keepBlob(directory, file);
  };
  const config = json({
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [layerBlob.digest] },
  });
  const type = "application/vnd.oci.image";
  const manifest = json({
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: { mediaType: `${type}.config.v1+json`, ...config },
    layers: [{ mediaType: `${type}.layer.v1.tar`, ...layerBlob }],
  });
  const annotations = {
    "io.containerd.image.name": imageName,
    "org.opencontainers.image.ref.name": imageName,
  };
  const index = {
    schemaVersion: 2,
    manifests: [{ mediaType: `${type}.manifest.v1+json`, ...manifest, annotations }],
  };
  writeFileSync(join(directory, "index.json"), JSON.stringify(index));
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const pathOf = ({ digest }: Blob): string => `blobs/${digest.replace(":", "/")}`;
  const archive = [{ Config: pathOf(config), RepoTags: [imageName], Layers: [pathOf(layerBlob)] }];
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(archive));
  const image = join(room.directory, "image.tar");
  tar(image, directory, ...readdirSync(directory));
  return image;
}

type Blob = { readonly digest: string; readonly size: number };

function keepBlob(directory: string, file: string): Blob {
  const content = readFileSync(file);
  const hash = createHash("sha256").update(content).digest("hex");
  renameSync(file, join(directory, "blobs/sha256", hash));
  return { digest: `sha256:${hash}`, size: content.byteLength };
}

function tar(file: string, directory: string, ...names: readonly string[]): void {
  const argv = ["tar", "--owner=0", "--group=0", "-C", directory, "-cf", file, ...names];
  const { status, stderr } = runBriefly(argv);
  if (status !== 0) throw new Error(stderr);
}

/** The programs of the runtimes that an engine is given, in the order in which they are tried. */
export const runtimes: readonly (readonly [RuntimeName, string])[] = [
  ["ts-runc", executable],
  ...(runc === undefined ? [] : [["runc", runc] as const]),
];

/** What every engine is shown to do with a busybox container. */
const duties = [
  "run",
  "exit code",
  "terminal",
  "exec",
  "logs",
  "pause",
  "resume",
  "stop",
  "kill",
  "rm",
] as const;

/** One call of an engine's client. */
export type Step = {
  readonly argv: readonly string[];
  /** What it must end with and print, for both runtimes alike; without a status, any that is the same for both. */
  readonly status?: number;
  readonly output: RegExp;
  /** In a terminal of script(1). */
  readonly terminal?: true;
  readonly shows?: (typeof duties)[number];
};

/** Compares what the steps have shown, first with ts-runc and then with runc, with each other and with what is expected. */
export function compareSteps(
  steps: readonly Step[],
  [ours = [], theirs = ours]: readonly (readonly Shown[])[],
): void {
  const shown = new Set(steps.map(({ shows }) => shows));
  assert.equal(
    duties.filter((duty) => !shown.has(duty)),
    [],
    "no step shows it",
  );
  for (const [index, { status, output }] of steps.entries()) {
    const own = ours[index];
    if (status !== undefined) assert.is(own?.status, status, `${own?.step}: ${own?.output}`);
    assert.match(own?.output ?? "", output, `${own?.step}: ${own?.output}`);
    assert.equal(own, theirs[index]);
  }
}

/** Runs a command in a terminal of script(1). */
export function inTerminal(
  room: Room,
  command: readonly string[],
  options: RunOptions = {},
): Outcome {
  const file = join(room.directory, "command.sh");
  writeFileSync(file, command.map((item) => `'${item}'`).join(" "));
  return runBriefly(["script", "-qec", `sh ${file}`, "/dev/null"], options);
}

/** What one step has shown, with what differs from run to run taken out. */
export type Shown = {
  readonly step: string;
  readonly status: number;
  readonly output: string;
};

/** Takes out the runtime's path, ids, times, the widths of tables, and the end of file that script(1) types. */
export function neutral(text: string, runtime: string): string {
  return text
    .replaceAll(runtime, "RUNTIME")
    .replace(/\b[0-9a-f]{64}\b/g, "ID")
    .replace(/time="[^"]*"/g, "time=T")
    .replace(/\r|\^[@D]/g, "")
    .replace(/ +/g, " ")
    .replace(/ $/gm, "");
}

/** Directories of this name directly below the cgroup hierarchies. */
export function topCgroups(name: string): readonly string[] {
  const top = "/sys/fs/cgroup";
  const candidates = [top, ...readdirSync(top).map((hierarchy) => join(top, hierarchy))];
  return candidates.map((path) => join(path, name)).filter((path) => existsSync(path));
}

/**
 * Removes directories that an engine has made for its containers, and returns those that are not empty.
 */
export function removeEmptyCgroups(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => {
    const inner = readdirSync(path).map((name) => join(path, name));
    const groups = inner.filter((entry) => statSync(entry).isDirectory());
    if (groups.length > 0) return true;
    rmdirSync(path);
    return false;
  });
}

/** Processes whose command line names the path: daemons and shims of an engine that was given it. */
export function processesNaming(path: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(path);
      } catch {
        // It has ended since it was listed.
        return false;
      }
    });
}
