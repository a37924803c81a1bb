// crun's tests, which are programs in Python that print TAP. They are told of the runtime by OCI_RUNTIME and speak to it as to
// crun, which conformance/adapters/crun-dialect translates.

import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readTap } from "./outputs.ts";
import { type Adapter, ownRoot, quote, type Room, wrapRuntime } from "./suite.ts";

export const crunTests: Adapter = {
  says: "tests of crun, in Python (OCI_RUNTIME=)",
  timeoutSeconds: 300,
  choosesTests: true,
  lacks: (room) => {
    const { checkout } = room;
    if (testFiles(room).length === 0) {
      return [`${checkout} has no tests/test_NAME.py: it is no checkout of crun`];
    }
    const python = Bun.which("python3") === null ? ["no python3 in PATH"] : [];
    if (existsSync(join(checkout, "tests/init"))) return python;
    if (!existsSync(join(checkout, "tests/init.c"))) {
      return [...python, "tests/init.c is missing, the program of the containers"];
    }
    if (Bun.which("gcc") !== null) return python;
    return [...python, "tests/init is missing: make tests/init, or have a gcc in PATH"];
  },
  programs: (room) => {
    const init = initProgram(room);
    const env = {
      OCI_RUNTIME: wrapRuntime(room, dialect(room)),
      INIT: init,
      ...(room.test === undefined ? {} : { RUN_TESTS: room.test }),
    };
    return testFiles(room).map((file) => ({
      name: file.replace(/^test_|\.py$/g, ""),
      argv: ["python3", join(room.checkout, "tests", file)],
      cwd: workPlace(room, file, init),
      env: { ...env, PYTHONDONTWRITEBYTECODE: "1" },
    }));
  },
  read: ({ output }) => readTap(output),
};

/**
 * Where the tests of a file make their bundles, in a directory with the pid of the file's program in its name: pids are not the
 * programs' own here. Some of them call init by its place in the checkout.
 */
function workPlace({ scratch }: Room, file: string, init: string): string {
  const place = join(scratch, "work", file);
  mkdirSync(join(place, "tests"), { recursive: true });
  symlinkSync(init, join(place, "tests/init"));
  return place;
}

function testFiles({ checkout }: Room): readonly string[] {
  const directory = join(checkout, "tests");
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((file) => /^test_.*\.py$/.test(file))
    .sort();
}

/** Every state root becomes ours: the tests remove theirs, with containers still in it. */
function dialect(room: Room): string {
  const { stdout } = Bun.spawnSync([room.runtime, "--version"], { stdin: "ignore" });
  const tongue = stdout.toString().startsWith("crun ") ? "crun" : "runc";
  const script = join(import.meta.dir, "crun-dialect");
  return `sh ${quote(script)} ${tongue} ${quote(room.runtime)} ${quote(ownRoot(room))} "$@"`;
}

/** The checkout's own, or one compiled here. */
function initProgram({ checkout, scratch }: Room): string {
  const built = join(checkout, "tests/init");
  if (existsSync(built)) return built;
  const path = join(scratch, "init");
  // What ./configure would find out matters to crun, not to this program.
  writeFileSync(join(scratch, "config.h"), "");
  const source = join(checkout, "tests/init.c");
  const gcc = ["gcc", "-static", "-w", "-I", scratch, "-o", path, source];
  const { exitCode, stderr } = Bun.spawnSync(gcc, { stdin: "ignore" });
  if (exitCode !== 0) throw new Error(`${source} does not compile:\n${stderr}`);
  return path;
}
