// Runs the executable in directories full of files that Bun would like to read, and proves that none of them is: in a
// runtime that root calls in somebody's bundle, each would be code of theirs run by root. Needs root and strace.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { executable, type Outcome, runProgram } from "../cli/executable.ts";

const test = suite("kernel/hostile-directory");
const strace = existsSync("/usr/bin/strace");
if (!strace) console.log("skip: there is no strace");
const traced = strace ? test : test.skip;

const parent = mkdtempSync(join(tmpdir(), "hostile-"));
const bundle = join(parent, "bundle");
const trace = join(parent, "trace");
const state = join(parent, "state");
const leak = join(parent, "leak");
const hostileNames =
  /bunfig|\.env|package\.json|tsconfig|jsconfig|node_modules|preload\.[jt]s|\.npmrc|bun\.lock|locales\/|\.bunrc/;

function plant(directory: string): void {
  const evil = `require("node:fs").writeFileSync(${JSON.stringify(leak)}, "read");\n`;
  const files = {
    "preload.ts": evil,
    "preload.js": evil,
    "index.js": evil,
    "bunfig.toml": `preload = ["./preload.ts"]\n[run]\npreload = ["./preload.ts"]\n`,
    ".bunfig.toml": `preload = ["./preload.ts"]\n`,
    ".env": "XDG_RUNTIME_DIR=/hostile\nUSER=ann\nBUN_OPTIONS=--preload=./preload.ts\n",
    ".env.local": "XDG_RUNTIME_DIR=/hostile\n",
    ".env.production": "XDG_RUNTIME_DIR=/hostile\n",
    "package.json": JSON.stringify({
      name: "hostile",
      yargs: { "boolean-negation": false },
      imports: { "#x": "./preload.js" },
      main: "./preload.js",
    }),
    "tsconfig.json": JSON.stringify({
      extends: "./preload.js",
      compilerOptions: { paths: { "*": ["./preload.js"] } },
    }),
    "node_modules/yargs/package.json": JSON.stringify({ name: "yargs", main: "index.js" }),
    "node_modules/yargs/index.js": evil,
    "node_modules/bun/index.js": evil,
    "build/version.ts": evil,
    "main.js": evil,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
}

mkdirSync(bundle);
mkdirSync(state);
plant(parent);
plant(bundle);

const env = { PATH: process.env["PATH"] ?? "" };

/** Runs ts-runc in the bundle, under strace, and checks that nothing that was planted has been looked for. */
function runInBundle(...argv: readonly string[]): Outcome {
  const strace = [
    "strace",
    "-f",
    "-qq",
    "-s",
    "4096",
    "-o",
    trace,
    "-e",
    "trace=%file",
    "-e",
    "status=!unfinished",
  ];
  const outcome = runProgram([...strace, executable, ...argv], { cwd: bundle, env });
  const calls = readFileSync(trace, "utf8").split("\n").slice(1);
  const opened = calls.filter((call) => hostileNames.test(call) && !/"\/locales\//.test(call));
  assert.equal(opened, [], argv.join(" "));
  assert.not.ok(existsSync(leak), `${argv.join(" ")} ran a planted file`);
  return outcome;
}

traced("the plants would work: Bun itself runs the preload and reads .env", () => {
  const bun = runProgram([process.execPath, "main.js"], { cwd: bundle, env });
  assert.is(bun.status, 0, bun.stderr);
  assert.ok(existsSync(leak));
  rmSync(leak);
});

traced("no command reads what lies in the current directory", () => {
  assert.is(runInBundle("--version").status, 0);
  assert.is(runInBundle("--help").status, 0);
  assert.is(runInBundle("state", "--help").status, 0);
  assert.is(runInBundle("--nosuch").status, 1);
  assert.is(runInBundle("nosuch").status, 3);
  assert.is(runInBundle("completion").status, 1);
  assert.is(runInBundle("completion", "bash").status, 0);
  assert.is(runInBundle("__complete", "sta").status, 0);
  assert.is(runInBundle("features").status, 0);
  assert.is(runInBundle("--root", state, "list").status, 0);
  assert.is(runInBundle("--root", state, "state", "nope").status, 1);
  assert.is(runInBundle("--root", state, "kill", "nope").status, 1);
  assert.is(runInBundle("--root", state, "delete", "--force", "nope").status, 0);
  assert.is(runInBundle("--root", state, "create", "nope").status, 1);
  assert.is(runInBundle("spec").status, 0);
  assert.is(runInBundle("--root", state, "create", "-b", ".", "nope").status, 1);
});

/** Makes the bundle one that `create` can use, with a program that stays. */
function fillBundle(): void {
  mkdirSync(join(bundle, "rootfs", "bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(bundle, "rootfs", "bin", "sleep"));
  const path = join(bundle, "config.json");
  const text = readFileSync(path, "utf8")
    .replace('"terminal": true', '"terminal": false')
    .replace('"sh"', '"sleep", "1000"');
  writeFileSync(path, text);
}

traced("making a container reads its config and root and nothing else of the bundle", () => {
  if (process.getuid?.() !== 0 || !existsSync("/bin/busybox")) {
    return console.log("skip: needs root and busybox");
  }
  fillBundle();
  // A name of our own: the cgroup is named after it.
  const id = `hostile-${process.pid}`;
  try {
    // Not followed into the container, and without pipes that it would hold open.
    const command = ["strace", "-qq", "-s", "4096", "-o", trace, "-e", "trace=%file", executable];
    const create = [...command, "--root", state, "create", id];
    const script = `exec "$@" </dev/null >/dev/null 2>&1`;
    const made = runProgram(["/bin/sh", "-c", script, "sh", ...create], { cwd: bundle, env });
    assert.is(made.status, 0);
    const calls = readFileSync(trace, "utf8").split("\n").slice(1);
    assert.ok(calls.some((call) => call.includes("config.json")));
    assert.equal(
      calls.filter((call) => hostileNames.test(call)),
      [],
    );
    assert.match(runInBundle("--root", state, "state", id).stdout, /"status": "created"/);
  } finally {
    assert.is(runInBundle("--root", state, "delete", "--force", id).status, 0);
  }
});

traced("variables of .env have no effect", () => {
  const { stderr } = runInBundle("--debug", "list");
  assert.match(stderr, /state root \/run\/ts-runc"/);
});

traced("arguments that Bun itself would take are ours to refuse", () => {
  const preload = join(bundle, "preload.js");
  for (const option of [
    "preload",
    "require",
    "r",
    "eval",
    "e",
    "print",
    "p",
    "env-file",
    "config",
    "inspect",
  ]) {
    for (const argv of [
      [`--${option}=${preload}`],
      [`-${option}`, preload],
      [`--${option}`, preload],
    ]) {
      const { status, stderr } = runProgram([executable, ...argv, "list"], { cwd: bundle, env });
      assert.is(status, 1, argv.join(" "));
      assert.match(stderr, `flag provided but not defined: -${option}`);
      assert.not.ok(existsSync(leak), argv.join(" "));
    }
  }
});

traced("in a deleted directory nothing is looked for beside the executable instead", () => {
  const gone = join(parent, "gone");
  mkdirSync(gone);
  const script = `cd "$1" && rmdir "$1" && shift && exec "$@"`;
  const options = ["-f", "-qq", "-s", "4096", "-o", trace, "-e", "trace=%file"];
  const run = [...options, executable, "--root", state, "list"];
  const { status } = runProgram(["/bin/sh", "-c", script, "sh", gone, "strace", ...run], { env });
  assert.is(status, 0);
  const calls = readFileSync(trace, "utf8").split("\n").slice(1);
  assert.equal(
    calls.filter((call) => hostileNames.test(call)),
    [],
  );
});

test.run();
