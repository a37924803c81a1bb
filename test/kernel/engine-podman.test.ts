// podman and conmon with ts-runc, beside runc: what podman prints and returns, and what is left. They hand the runtime nearly
// no environment and no --root, so its default state root is used. Needs root.

import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  compareSteps,
  imageName,
  inTerminal,
  makeImage,
  neutral,
  processesNaming,
  removeEmptyCgroups,
  runtimes,
  type Shown,
  type Step,
  topCgroups,
} from "../support/engine.ts";
import { openRoom, type RuntimeName, runBriefly, until } from "../support/room.ts";

const test = suite("kernel/engine-podman");
const installed = ["podman", "conmon", "script"].every((name) => existsSync(`/usr/bin/${name}`));
if (!installed) console.log("skip: podman, conmon or script(1) is not installed");
const withEngine = installed ? test : test.skip;

const room = openRoom("podman");
const cgroupParent = `ts-runc-test-podman-${process.pid}`;
const configuration = join(room.directory, "containers.conf");
const policy = join(room.directory, "policy.json");
writeFileSync(policy, '{"default": [{"type": "insecureAcceptAnything"}]}');
/** Says of which runtimes podman asks errors as JSON, in a file; those of others it takes from their standard error. */
function configure(jsonRuntimes: readonly string[]): void {
  writeFileSync(
    configuration,
    `[containers]
# The default ones are above what this host's root may set.
default_ulimits = ["nofile=512:512", "nproc=512:512"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
conmon_path = ["/usr/bin/conmon"]
events_logger = "file"
lock_type = "file"
pull_policy = "never"
runtime_supports_json = ${JSON.stringify(jsonRuntimes)}
`,
  );
}

/** podman with stores of its own; conmon leaves files in the working directory. */
const environment = {
  PATH: process.env["PATH"] ?? "",
  HOME: room.directory,
  TMPDIR: room.directory,
  CONTAINERS_CONF: configuration,
};
const globals = [
  ...["--root", join(room.directory, "storage"), "--runroot", join(room.directory, "run")],
  ...["--tmpdir", join(room.directory, "tmp"), "--storage-driver", "vfs"],
];
const command = (program: string, argv: readonly string[]): string[] => {
  return ["podman", ...globals, "--runtime", program, ...argv];
};
const podman = (program: string, ...argv: readonly string[]) =>
  runBriefly(command(program, argv), { cwd: room.directory, env: environment });

const apart = [
  ...["--network", "none", "--cgroups", "no-conmon"],
  ...["--cgroup-parent", `/${cgroupParent}`],
];
const run = (...argv: readonly string[]): readonly string[] => ["run", ...apart, ...argv];
const service = `echo out; trap "exit 7" TERM; sleep 1000 & wait`;

const steps: readonly Step[] = [
  {
    shows: "exit code",
    argv: run("--rm", imageName, "sh", "-c", "echo out; id -u; echo err >&2; exit 3"),
    status: 3,
    output: /^out\n0\nerr\n$/,
  },
  {
    shows: "terminal",
    argv: run("--rm", "-t", imageName, "sh", "-c", "echo $(readlink /proc/self/fd/0); exit 4"),
    status: 4,
    output: /^\/dev\/pts\/0\n$/,
    terminal: true,
  },
  {
    argv: run(
      "--rm",
      "--user",
      "1000:1000",
      "--env",
      "A=b c",
      imageName,
      "sh",
      "-c",
      "id -u; echo $A",
    ),
    status: 0,
    output: /^1000\nb c\n$/,
  },
  {
    argv: run("--rm", "--memory", "32m", "--pids-limit", "50", imageName, "true"),
    status: 0,
    output: /^$/,
  },
  {
    // Under the profile that podman comes with, and under none.
    argv: run("--rm", imageName, "grep", "^Seccomp:", "/proc/self/status"),
    status: 0,
    output: /^Seccomp:\t2\n$/,
  },
  {
    argv: run(
      ...["--rm", "--security-opt", "seccomp=unconfined", imageName],
      ...["grep", "^Seccomp:", "/proc/self/status"],
    ),
    status: 0,
    output: /^Seccomp:\t0\n$/,
  },
  {
    argv: run(
      "--rm",
      "--security-opt",
      "no-new-privileges",
      imageName,
      "busybox",
      "chroot",
      "/",
      "true",
    ),
    status: 0,
    output: /^$/,
  },
  {
    argv: run("--rm", imageName, "busybox", "unshare", "-m", "true"),
    status: 1,
    output: /unshare.*: Operation not permitted\n$/,
  },
  {
    argv: run("--rm", imageName, "/nowhere"),
    status: 127,
    output:
      /^Error: RUNTIME: runc create failed: unable to start container process: exec: "\/nowhere": stat \/nowhere: no such file or directory: OCI runtime attempted to invoke a command that was not found\n$/,
  },
  {
    argv: run("--rm", imageName, "nowhere"),
    status: 127,
    output: /: exec: "nowhere": executable file not found in \$PATH: OCI runtime attempted/,
  },
  {
    argv: run("--rm", imageName, "/etc/plain"),
    status: 126,
    output: /: exec: "\/etc\/plain": permission denied: OCI permission denied\n$/,
  },
  { argv: run("--rm", "--bogus", imageName, "true"), status: 125, output: /unknown flag: --bogus/ },
  {
    shows: "run",
    argv: run("-d", "--name", "d1", imageName, "sh", "-c", service),
    status: 0,
    output: /^ID\n$/,
  },
  { shows: "logs", argv: ["wait for output", "d1", "1"], status: 0, output: /^out\n$/ },
  {
    shows: "exec",
    argv: ["exec", "d1", "sh", "-c", "echo in; echo err >&2; exit 5"],
    status: 5,
    output: /^in\nerr\n$/,
  },
  { argv: ["exec", "--user", "33", "d1", "id", "-u"], status: 0, output: /^33\n$/ },
  {
    argv: ["exec", "d1", "grep", "^Seccomp:", "/proc/self/status"],
    status: 0,
    output: /^Seccomp:\t2\n$/,
  },
  {
    argv: ["exec", "-t", "d1", "readlink", "/proc/self/fd/0"],
    status: 0,
    output: /^\/dev\/pts\/0\n$/,
    terminal: true,
  },
  {
    argv: ["exec", "d1", "/nowhere"],
    status: 127,
    output:
      /^Error: RUNTIME: exec failed: unable to start container process: exec: "\/nowhere": stat \/nowhere: no such file or directory: OCI runtime attempted to invoke a command that was not found\n$/,
  },
  { argv: ["exec", "d1", "/etc/plain"], status: 126, output: /permission denied/ },
  {
    argv: ["top", "d1", "user", "args"],
    status: 0,
    output: /^USER +COMMAND\nroot +sh -c .*\nroot +sleep 1000\n$/,
  },
  { argv: ["stats", "--no-stream", "--format", "{{.Name}}", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["update", "--memory", "64m", "d1"], status: 0, output: /^ID\n$/ },
  { shows: "pause", argv: ["pause", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["ps", "-a", "--format", "{{.Names}} {{.State}}"], status: 0, output: /^d1 Paused\n$/ },
  { argv: ["pause", "d1"], status: 125, output: /is already paused/ },
  { shows: "resume", argv: ["unpause", "d1"], status: 0, output: /^d1\n$/ },
  { shows: "stop", argv: ["stop", "--time", "10", "d1"], status: 0, output: /^d1\n$/ },
  {
    argv: ["ps", "-a", "--format", "{{.Names}} {{.ExitCode}}"],
    status: 0,
    output: /^d1 7\n$/,
  },
  // Made anew from the same config.
  { argv: ["start", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["wait for output", "d1", "2"], status: 0, output: /^out\nout\n$/ },
  { shows: "kill", argv: ["kill", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["wait", "d1"], status: 0, output: /^137\n$/ },
  { shows: "rm", argv: ["rm", "d1"], status: 0, output: /^d1\n$/ },
  { argv: run("-d", "--name", "d2", imageName, "sleep", "1000"), status: 0, output: /^ID\n$/ },
  { argv: ["rm", "--force", "--time", "0", "d2"], status: 0, output: /^d2\n$/ },
  { argv: ["ps", "-a", "-q"], status: 0, output: /^$/ },
];

async function take({ argv, terminal }: Step, program: string): Promise<Shown> {
  const step = argv.join(" ");
  const [verb, name = "", lines] = argv;
  const waits = verb === "wait for output";
  const written = (): number => podman(program, "logs", name).stdout.split("\n").length - 1;
  if (waits) await until(() => written() >= Number(lines));
  const full = waits ? ["logs", name] : argv;
  const shown =
    terminal === true
      ? inTerminal(room, command(program, full), { cwd: room.directory, env: environment })
      : podman(program, ...full);
  return { step, status: shown.status, output: neutral(shown.stdout + shown.stderr, program) };
}

/** Containers below the default state root of a runtime that were made from this room. */
function statesOf(runtime: RuntimeName): readonly string[] {
  const root = `/run/${runtime}`;
  if (!existsSync(root)) return [];
  return readdirSync(root).filter((id) => {
    const state = join(root, id, "state.json");
    return existsSync(state) && readFileSync(state, "utf8").includes(room.directory);
  });
}

/** Where ts-runc keeps compiled filters in its default state root. */
const filters = "/run/ts-runc/@seccomp";

withEngine("podman prints and returns with ts-runc what it does with runc", async () => {
  const image = makeImage(room);
  // Groups that podman makes for itself, and directories in the place of hierarchies that are not mounted.
  const before = readdirSync("/sys/fs/cgroup");
  const own = topCgroups("libpod_parent");
  const hadFilters = existsSync(filters);
  configure(["ts-runc", "runc"]);
  try {
    const all: (readonly Shown[])[] = [];
    for (const [runtime, program] of runtimes) {
      const loaded = podman(program, "load", "--signature-policy", policy, "--input", image);
      assert.is(loaded.status, 0, loaded.stderr);
      const shown: Shown[] = [];
      for (const step of steps) shown.push(await take(step, program));
      all.push(shown);
      // As for a runtime whose name it does not know.
      configure(["crun"]);
      const unknown = podman(program, ...run("--rm", imageName, "/nowhere"));
      assert.is(unknown.status, 127, unknown.stderr);
      assert.match(
        unknown.stderr,
        /exec: ."\/nowhere.": stat \/nowhere: no such file or directory/,
      );
      configure(["ts-runc", "runc"]);
      await until(() => statesOf(runtime).length === 0);
      assert.equal(statesOf(runtime), []);
    }
    compareSteps(steps, all);
    await until(() => processesNaming(room.directory).length === 0);
    assert.equal(processesNaming(room.directory), []);
    assert.equal(removeEmptyCgroups(topCgroups(cgroupParent)), []);
  } finally {
    for (const [, program] of runtimes) podman(program, "rm", "--all", "--force", "--time", "0");
    removeEmptyCgroups(topCgroups(cgroupParent));
    removeEmptyCgroups(topCgroups("libpod_parent").filter((path) => !own.includes(path)));
    const added = readdirSync("/sys/fs/cgroup").filter((name) => !before.includes(name));
    for (const name of added) rmdirSync(join("/sys/fs/cgroup", name));
    if (!hadFilters) rmSync(filters, { recursive: true, force: true });
  }
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
