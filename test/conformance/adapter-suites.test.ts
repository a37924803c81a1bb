// Each adapter on a small fake checkout: how it finds and calls the programs, and what it says of one in which something is
// missing. Needs root, since the programs get namespaces of their own.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { goArchitecture } from "../../conformance/adapters/runtime-tools.ts";
import {
  calls,
  checkout,
  directory,
  rowOf,
  run,
  runtime,
  tools,
  write,
} from "../support/fake-suite.ts";
import { root } from "../support/source-tree.ts";

const test = suite("conformance/adapter-suites");
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skip: foreign suites are run by root");
const asRoot = isRoot ? test : test.skip;

asRoot("oci-runtime-tool is run on each bundle, and on what the runtime's spec writes", () => {
  const path = checkout("tool", {
    "oci-runtime-tool": `[ -f config.json ] && [ -d rootfs ] || exit 2
case $(cat config.json) in *'"ociVersion": "1.2.0"'*) echo 'level=fatal msg="validate only handles version 0.9, but"'; exit 1 ;; esac
case $PWD in *hooks*) echo "process.args is required" >&2; exit 1 ;; esac
echo "Bundle validation succeeded."`,
  });
  const listed = run("--list", "oci-runtime-tool", path, runtime).stdout.trimEnd().split("\n");
  const samples = readdirSync(join(root, "bundles")).filter((name) =>
    existsSync(join(root, "bundles", name, "config.json")),
  );
  assert.equal(listed, [...samples.sort(), "spec", "spec --rootless"]);
  const some = ["--only", "h", "--only", "spec", "--skip", "shared"];
  const { status, stdout } = run(...some, "oci-runtime-tool", path, runtime);
  assert.is(status, 1);
  assert.is(rowOf(stdout, "hello"), "| hello | 1 | 0 | 0 |  |");
  assert.is(rowOf(stdout, "hooks"), "| hooks | 0 | 1 | 0 |  |");
  assert.match(stdout, /^ {4}not ok: the bundle is valid\n {8}process\.args is required$/m);
  assert.is(rowOf(stdout, "spec --rootless"), "| spec --rootless | 1 | 0 | 0 |  |");
});

/** bats, and what runc's tests call. */
function writeTools(): void {
  for (const tool of ["jq", "gawk", "go", "xz"]) write(join(tools, tool), "");
  write(
    join(tools, "bats"),
    `[ "$1" = --tap ] && shift; echo "# $@ with $RUNC"; for file do :; done; sh "$file"`,
  );
  write(join(tools, "python3"), 'sh "$1"');
}

const runcFiles = {
  "tests/integration/get-images.sh": `get "$TESTDATA/busybox-\${arch}.tar.xz" url`,
  [`tests/integration/testdata/busybox-${goArchitecture()}.tar.xz`]: "",
  "tests/cmd/recvtty/main.go": "",
  "tests/cmd/_bin/recvtty": "",
};

asRoot("bats files of runc are programs, told of the runtime by RUNC", () => {
  writeTools();
  const path = checkout("runc", {
    ...runcFiles,
    "tests/integration/good.bats": `"$RUNC" --root "$TMPDIR/state" run box
echo "1..2"; echo "ok 1 runs"; echo "ok 2 waits # skip no time"`,
    "tests/integration/bad.bats": 'echo "1..1"; echo "not ok 1 breaks"; echo "# in line 7"; exit 1',
  });
  const { status, stdout, stderr } = run("runc-bats", path, runtime);
  assert.is(status, 1, stderr);
  assert.is(rowOf(stdout, "good"), "| good | 1 | 0 | 1 |  |");
  assert.is(rowOf(stdout, "bad"), "| bad | 0 | 1 | 0 |  |");
  assert.match(stdout, /^ {4}not ok: breaks\n {8}# in line 7$/m);
  // The suite names the state root itself.
  assert.match(stdout, /deleted the container box, which it has left behind/);
  const output = join(directory, "bats-output");
  run("--only", "good", "--test", "runs", "--output", output, "runc-bats", path, runtime);
  const said = readFileSync(join(output, "good.txt"), "utf8");
  assert.match(said, /^# --filter runs \S+\/good\.bats with \S+\/bin\/fake-runtime$/m);
});

asRoot("tests of crun are translated into runc's options", () => {
  writeTools();
  const path = checkout("crun", {
    "tests/init": "",
    "tests/test_words.py": `state=$PWD/.testsuite/root
mkdir config rootfs
echo '{"of": "crun"}' >config/config.json
"$OCI_RUNTIME" --cgroup-manager cgroupfs --root "$state" run --config config.json --detach box
"$OCI_RUNTIME" --cgroup-manager=systemd --root="$state" create -f config/config.json --pid-file p bundle
[ "$(cat config.json)" = '{"of": "crun"}' ] || exit 1
"$OCI_RUNTIME" --cgroup-manager disabled --root "$state" exec --env "A=two  words" -e B=c box sh -e x --root x --config y
"$OCI_RUNTIME" --root "$state" delete -f --regex 'bo?x|nothing'
[ -x "$INIT" ] || exit 1
echo "1..1"; echo "ok 1 - $RUN_TESTS"`,
  });
  writeFileSync(calls, "");
  const { status, stdout, stderr } = run("--test", "words", "crun-tests", path, runtime);
  assert.is(status, 0, `${stdout}${stderr}`);
  const said = readFileSync(calls, "utf8").replaceAll(/\/\S+\/state\b/g, "STATE");
  const lines = said.split("\n").filter((line) => !line.startsWith("--version"));
  assert.is(lines[0], "--root STATE run --detach box");
  assert.is(lines[1], "--systemd-cgroup --root STATE create --pid-file p bundle");
  assert.is(
    lines[2],
    "--cgroup-manager disabled --root STATE exec --env A=two  words --env B=c box sh -e x --root x --config y",
  );
  assert.equal(lines.slice(3, 6), [
    "--root STATE list --quiet",
    "--root STATE delete --force box",
    "--root STATE list --quiet",
  ]);
  assert.match(stdout, /deleted the container bundle, which it has left behind/);
  assert.is(rowOf(stdout, "words"), "| words | 1 | 0 | 0 |  |");
});

asRoot("crun itself is only given another state root", () => {
  writeTools();
  const crun = write(
    join(directory, "bin/crun"),
    `[ "$1" = --version ] && echo "crun version 1"; echo "# $@"`,
  );
  const path = checkout("crun-own", {
    "tests/init": "",
    "tests/test_own.py": `"$OCI_RUNTIME" --cgroup-manager cgroupfs --root /x run --config c.json box
"$OCI_RUNTIME" --root /x delete -f --regex box; echo 1..1; echo ok 1`,
  });
  const output = join(directory, "crun-output");
  run("--output", output, "crun-tests", path, crun);
  const said = readFileSync(join(output, "own.txt"), "utf8").replaceAll(/\/\S+\/state\b/g, "STATE");
  assert.is(
    said,
    "# --cgroup-manager cgroupfs --root STATE run --config c.json box\n# --root STATE delete -f --regex box\n1..1\nok 1\n",
  );
});

asRoot("groups of youki's contest are programs", () => {
  const path = checkout("youki", {
    runtimetest: "",
    "target/release/contest": `[ "$1" = list ] && echo hooks && echo pidfile && exit
[ "$2 $4" = "--runtime --runtimetest" ] || exit 9
for group do :; done
echo "# Start group $group"
case $group in hooks) echo "1 / 1 : run : not ok"; echo "	too late" ;; *) echo "1 / 1 : a : ok" ;; esac
echo "# End group $group"`,
  });
  const { status, stdout } = run("youki-contest", path, runtime);
  assert.is(status, 1);
  assert.is(rowOf(stdout, "hooks"), "| hooks | 0 | 1 | 0 |  |");
  assert.is(rowOf(stdout, "pidfile"), "| pidfile | 1 | 0 | 0 |  |");
  assert.match(stdout, /^ {4}not ok: hooks::run\n {8}too late$/m);
  const one = run("--test", "b", "--only", "pidfile", "youki-contest", path, runtime);
  assert.match(one.stdout, /ok {3}pidfile: 1 pass/);
});

asRoot("what a checkout lacks is named, with how it is built", () => {
  const empty = checkout("empty", { README: "" });
  const refused = (...argv: readonly string[]) => {
    const { status, stderr, stdout } = run(...argv, runtime);
    assert.is(status, 2, stdout);
    return stderr;
  };
  assert.match(
    refused("runtime-tools", empty),
    /^runtime-tools: .* has no validation\/NAME\/NAME\.go/,
  );
  const unbuilt = checkout("unbuilt", { "validation/a/a.go": "" });
  assert.match(
    refused("runtime-tools", unbuilt),
    /^runtime-tools: runtimetest \(and 1 more\) is missing: make runtimetest validation-executables\nruntime-tools: rootfs-\w+\.tar\.gz is missing/,
  );
  assert.match(
    refused("oci-runtime-tool", empty),
    /^oci-runtime-tool: oci-runtime-tool is missing: make tool$/m,
  );
  assert.match(refused("runc-bats", empty), /^runc-bats: .* has no tests\/integration\/NAME\.bats/);
  writeTools();
  const bare = checkout("bare", { ...runcFiles, "tests/integration/a.bats": "" });
  rmSync(join(bare, "tests/cmd/_bin"), { recursive: true });
  rmSync(join(bare, "tests/integration/testdata"), { recursive: true });
  const said = refused("runc-bats", bare);
  assert.match(said, /^runc-bats: tests\/cmd\/_bin\/recvtty is missing: make test-binaries$/m);
  assert.match(
    said,
    /^runc-bats: tests\/integration\/testdata\/busybox-\w+\.tar\.xz is missing: .*get-images\.sh/m,
  );
  assert.match(refused("crun-tests", empty), /^crun-tests: .* has no tests\/test_NAME\.py/);
  const noInit = checkout("no-init", { "tests/test_a.py": "" });
  assert.match(refused("crun-tests", noInit), /^crun-tests: tests\/init\.c is missing/);
  assert.match(
    refused("youki-contest", empty),
    /^youki-contest: contest is missing, .*\nyouki-contest: runtimetest is missing/,
  );
});

test("a command line that cannot be meant is refused, with the usage", () => {
  const wrong = (...argv: readonly string[]) => {
    const { status, stderr } = run(...argv);
    assert.is(status, 2);
    return stderr;
  };
  assert.match(wrong(), /^usage: conformance\/adapters\/run/);
  assert.match(wrong("runtime-tools"), /^usage: /);
  assert.match(wrong("a-suite", directory), /^there is no adapter a-suite\n\nusage: /);
  assert.match(wrong("--speed", "runtime-tools", directory), /'--speed'.*\n\nusage: /);
  assert.match(
    wrong("--test", "a", "runtime-tools", directory),
    /cannot choose tests within its programs/,
  );
  assert.match(
    wrong("--timeout", "soon", "runtime-tools", directory),
    /^--timeout soon: not a number of seconds$/m,
  );
  assert.match(run("--help").stdout, /^usage: .*--timeout SECONDS/s);
  if (!isRoot) return;
  assert.match(
    wrong("runtime-tools", directory, "no-such-runtime"),
    /^runtime-tools: no no-such-runtime in PATH$/m,
  );
  assert.match(
    wrong("runtime-tools", directory, "/etc/passwd"),
    /\/etc\/passwd cannot be executed$/m,
  );
});

test.after(() => rmSync(directory, { recursive: true, force: true }));
test.run();
