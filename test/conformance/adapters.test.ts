// What all adapters share, on small fake checkouts of runtime-tools: programs that pass, fail, hang, crash, skip, say nonsense and
// leave things behind. Needs root, since the programs get namespaces of their own.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { goArchitecture } from "../../conformance/adapters/runtime-tools.ts";
import {
  calls,
  checkout,
  directory,
  hang,
  isRunning,
  rowOf,
  run,
  runtime,
} from "../support/fake-suite.ts";

const test = suite("conformance/adapters");
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skip: foreign suites are run by root");
const asRoot = isRoot ? test : test.skip;
const mountPoint = join(directory, "mounted");
mkdirSync(mountPoint);

const good = 'echo "TAP version 13"; echo "ok 1 - a"; echo "1..1"';
const validations = {
  bails: 'echo "1..2"; echo "ok 1 - a"; echo "Bail out! no more"',
  crashes: `echo "1..2"; echo "ok 1 - a"; kill -SEGV $$`,
  errs: `${good}; exit 3`,
  fails: 'echo "1..2"; echo "ok 1 - a"; echo "not ok 2 - b"; echo "  because of c"; exit 1',
  hangs: `echo "1..1"; setsid sleep ${hang} & sleep ${hang}`,
  leaves: `mount -t tmpfs left ${mountPoint}; "$RUNTIME" create left-container; setsid sleep ${hang} & ${good}`,
  passes: good,
  skips: 'echo "1..0 # SKIP not here"',
  talks: "echo hello",
};

function runtimeToolsCheckout(name: string): string {
  const files = Object.entries(validations).flatMap(([validation, script]) => [
    [`validation/${validation}/${validation}.go`, ""],
    [`validation/${validation}/${validation}.t`, script],
  ]);
  return checkout(name, {
    runtimetest: "",
    [`rootfs-${goArchitecture()}.tar.gz`]: "",
    "validation/util/container.go": "",
    ...Object.fromEntries(files),
  });
}

asRoot("programs of runtime-tools are judged by what they say and how they end", () => {
  const path = runtimeToolsCheckout("judged");
  const { status, stdout, stderr } = run("--timeout", "2", "runtime-tools", path, runtime);
  assert.is(status, 1, stderr);
  const expected = {
    bails: "1 | 1 | 0 | it has bailed out: no more (exit status 0)",
    crashes: "1 | 1 | 0 | it has died of signal 11; it has announced 2 tests and 1 came",
    errs: "1 | 1 | 0 | exit status 3, although no test has failed",
    fails: "1 | 1 | 0 | ",
    hangs: "0 | 1 | 0 | it was killed after 2 s",
    leaves: "1 | 0 | 0 | ",
    passes: "1 | 0 | 0 | ",
    skips: "0 | 0 | 1 | ",
    talks: "0 | 1 | 0 | there is no TAP in its output (exit status 0)",
    all: "6 | 6 | 1 | ",
  };
  for (const [program, row] of Object.entries(expected)) {
    assert.is(rowOf(stdout, program), `| ${program} | ${row} |`);
  }
  assert.match(stdout, /^ {4}not ok: b\n {10}because of c$/m);
  assert.match(stdout, /^runtime-tools, .*fake-runtime \(runc version fake\)$/m);
});

asRoot(
  "what programs leave behind is gone: processes, mounts, containers in their state root",
  () => {
    const path = runtimeToolsCheckout("left");
    writeFileSync(calls, "");
    const { stdout } = run("--only", "leaves", "runtime-tools", path, runtime);
    assert.match(stdout, /^ {4}deleted the container left-container, which it has left behind$/m);
    assert.match(readFileSync(calls, "utf8"), /^--root \S+\/state delete --force left-container$/m);
    assert.is(isRunning(hang), false);
    assert.not.match(readFileSync("/proc/self/mountinfo", "utf8"), new RegExp(` ${mountPoint} `));
  },
);

const freezer = "/sys/fs/cgroup/freezer";
const hasFreezer = isRoot && existsSync(`${freezer}/tasks`);
if (!hasFreezer) console.log("skip: frozen groups: there is no freezer of cgroup v1");
(hasFreezer ? test : test.skip)("a process that is left frozen is thawed, so that it ends", () => {
  const group = `${freezer}/ts-runc-test-adapters-${process.pid}`;
  const script = `mkdir ${group}; sleep ${hang} & echo $! >${group}/tasks
echo FROZEN >${group}/freezer.state; ${good}`;
  const path = checkout("frozen", {
    runtimetest: "",
    [`rootfs-${goArchitecture()}.tar.gz`]: "",
    "validation/freezes/freezes.go": "",
    "validation/freezes/freezes.t": script,
  });
  const { status, stdout } = run("--timeout", "20", "runtime-tools", path, runtime);
  assert.is(status, 0, stdout);
  assert.is(readFileSync(`${group}/tasks`, "utf8"), "");
  rmdirSync(group);
  assert.is(isRunning(hang), false);
});

asRoot("a state root that is not below the scratch directory is left alone", () => {
  const foreign = join(directory, "foreign");
  const script = `"$RUNTIME" --root ${foreign} create other; ${good}`;
  const path = checkout("foreign-root", {
    runtimetest: "",
    [`rootfs-${goArchitecture()}.tar.gz`]: "",
    "validation/a/a.go": "",
    "validation/a/a.t": script,
  });
  assert.is(run("runtime-tools", path, runtime).status, 0);
  assert.equal(readdirSync(foreign), ["other"]);
});

asRoot(
  "programs are chosen by --only and --skip, listed by --list, and their output is kept",
  () => {
    const path = runtimeToolsCheckout("chosen");
    const chosen = ["--only", "s", "--skip", "e", "--skip", "talks", "--skip", "bails"];
    const listed = run(...chosen, "--list", "runtime-tools", path, runtime);
    assert.is(listed.stdout, "fails\nhangs\nskips\n");
    const output = join(directory, "output");
    const { status } = run("--only", "passes", "--output", output, "runtime-tools", path, runtime);
    assert.is(status, 0);
    assert.equal(readdirSync(output).sort(), ["passes.txt", "results.json"]);
    assert.match(readFileSync(join(output, "passes.txt"), "utf8"), /^ok 1 - a$/m);
    const results = JSON.parse(readFileSync(join(output, "results.json"), "utf8"));
    assert.is(results.suite, "runtime-tools");
    assert.equal(results.outcomes[0].checks, [{ name: "a", verdict: "pass", detail: "" }]);
    assert.is(run("--only", "no such", "runtime-tools", path, runtime).status, 1);
  },
);

test.after(() => rmSync(directory, { recursive: true, force: true }));
test.run();
