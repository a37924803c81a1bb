// runc's integration tests, which are for bats: each file is a program. They are told of the runtime by RUNC.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readTap } from "./outputs.ts";
import { goArchitecture } from "./runtime-tools.ts";
import { type Adapter, quote, type Room, wrapRuntime } from "./suite.ts";

const tests = "tests/integration";

export const runcBats: Adapter = {
  says: "integration tests of runc, by bats (RUNC=)",
  timeoutSeconds: 900,
  choosesTests: true,
  lacks: (room) => {
    if (batsFiles(room).length === 0) {
      return [`${room.checkout} has no ${tests}/NAME.bats: it is no checkout of runc`];
    }
    return [...missingTools(), ...missingBinaries(room), ...missingImages(room)];
  },
  programs: (room) => {
    const runtime = wrapRuntime(room);
    const filter = room.test === undefined ? "" : `--filter ${quote(room.test)} `;
    return batsFiles(room).map((file) => ({
      name: file.replace(/\.bats$/, ""),
      argv: onTerminal(`bats --tap ${filter}${quote(join(room.checkout, tests, file))}`),
      cwd: room.checkout,
      env: { RUNC: runtime },
    }));
  },
  read: ({ output }) => readTap(output),
};

/**
 * The tests want a terminal to be controlled by, which the foreground `run` of a container with one goes to; what they say is not
 * for it. Nothing is typed there, not even an end of file, which containers would show.
 */
function onTerminal(command: string): readonly string[] {
  const inner = quote(`${command} >&3 2>&3 3>&-`);
  const script = `fifo=$(mktemp -u); mkfifo "$fifo"; exec 4<>"$fifo"; rm "$fifo"
script -qec ${inner} /dev/null <&4 4<&- 3>&1 >/dev/null`;
  return ["sh", "-c", script];
}

function batsFiles({ checkout }: Room): readonly string[] {
  const directory = join(checkout, tests);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((file) => file.endsWith(".bats"))
    .sort();
}

/** Programs that the tests call, and the Debian package of each. */
const tools = {
  bats: "bats",
  gawk: "gawk",
  go: "golang-go",
  jq: "jq",
  script: "bsdutils",
  xz: "xz-utils",
};

function missingTools(): readonly string[] {
  return Object.entries(tools)
    .filter(([tool]) => Bun.which(tool) === null)
    .map(([tool, name]) => `no ${tool} in PATH (Debian package ${name})`);
}

/** The tests' own programs: since runc 1.2 in one directory, before that each in its own. */
function missingBinaries({ checkout }: Room): readonly string[] {
  const together = existsSync(join(checkout, "tests/cmd"));
  const sources = join(checkout, together ? "tests/cmd" : "contrib/cmd");
  if (!existsSync(sources)) return [];
  const make = together
    ? "make test-binaries"
    : "make localtest's programs: make contrib/cmd/NAME/NAME";
  return readdirSync(sources, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "_bin")
    .map(({ name }) => (together ? `tests/cmd/_bin/${name}` : `contrib/cmd/${name}/${name}`))
    .filter((file) => !existsSync(join(checkout, file)))
    .map((file) => `${file} is missing: ${make}`);
}

/** What the tests would download: root file systems. */
function missingImages({ checkout }: Room): readonly string[] {
  const script = join(checkout, tests, "get-images.sh");
  const text = existsSync(script) ? readFileSync(script, "utf8") : "";
  const images = [...text.matchAll(/\$TESTDATA\/([a-z-]+)-\$\{arch\}(\.[a-z.]+)/g)];
  return images
    .map(([, name, ending]) => `${tests}/testdata/${name}-${goArchitecture()}${ending}`)
    .filter((file) => !existsSync(join(checkout, file)))
    .map(
      (file) =>
        `${file} is missing: ${tests}/get-images.sh downloads it, and conformance/adapters/make-images makes another`,
    );
}
