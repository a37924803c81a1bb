// containerd with ts-runc as the runtime of its shim, beside runc: what ctr prints and returns, and what is left. Needs root.

import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
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
import { openRoom, runBriefly, until } from "../support/room.ts";

const test = suite("kernel/engine-containerd");
const installed = ["containerd", "ctr", "containerd-shim-runc-v2", "script"].every((name) =>
  existsSync(`/usr/bin/${name}`),
);
if (!installed) console.log("skip: containerd, or script(1), is not installed");
const withEngine = installed ? test : test.skip;

const room = openRoom("ctrd");
const address = join(room.directory, "c.sock");
/** containerd's namespace, which is also the parent of the cgroups. */
const namespace = `ts-runc-test-ctrd-${process.pid}`;
const log = join(room.directory, "containerd.log");

/** Starts a daemon that shares nothing with another one of this host. */
function startDaemon(): Bun.Subprocess {
  const config = join(room.directory, "config.toml");
  const unused = [
    ...["grpc.v1.cri", "internal.v1.opt", "tracing.processor.v1.otlp", "internal.v1.tracing"],
    ...["aufs", "btrfs", "devmapper", "zfs", "overlayfs"].map((name) => `snapshotter.v1.${name}`),
  ];
  writeFileSync(
    config,
    `version = 2
root = "${room.directory}/root"
state = "${room.directory}/run"
disabled_plugins = ${JSON.stringify(unused.map((name) => `io.containerd.${name}`))}
[grpc]
address = "${address}"
[ttrpc]
address = "${address}.ttrpc"
`,
  );
  return Bun.spawn(["containerd", "--config", config], {
    stdio: ["ignore", "ignore", Bun.file(log)],
  });
}

const command = (...argv: readonly string[]): string[] => [
  ...["ctr", "--address", address, "--namespace", namespace],
  ...argv,
];
const ctr = (...argv: readonly string[]) => runBriefly(command(...argv));
/** What a container in the background prints: ctr itself has no logs. */
const outputFile = join(room.directory, "output");
const service = `echo out; trap "exit 7" TERM; sleep 1000 & wait`;

/** A row of `ctr task ls`. */
const row = (id: string, status: string): RegExp =>
  new RegExp(`^TASK +PID +STATUS\n${id} +PID +${status}\n$`);

const run = (...argv: readonly string[]): readonly string[] => ["run", "RUNTIME", ...argv];

/** ctr complains when the program has ended by the time it sets the size of the terminal. */
const lingering = "readlink /proc/self/fd/0; sleep 1";

const steps: readonly Step[] = [
  {
    shows: "exit code",
    argv: run("--rm", imageName, "a1", "sh", "-c", "echo out; id -u; echo err >&2; exit 3"),
    status: 3,
    output: /^out\n0\nerr\n$/,
  },
  {
    shows: "terminal",
    argv: run(
      "--rm",
      "-t",
      imageName,
      "a2",
      "sh",
      "-c",
      "echo $(readlink /proc/self/fd/0); exit 4",
    ),
    status: 4,
    output: /^\/dev\/pts\/0\n$/,
    terminal: true,
  },
  {
    argv: run("--rm", "--memory-limit", "33554432", "--cpus", "0.5", imageName, "a3", "true"),
    status: 0,
    output: /^$/,
  },
  {
    argv: run("--rm", imageName, "a4", "/nowhere"),
    status: 1,
    output:
      /^ctr: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "\/nowhere": stat \/nowhere: no such file or directory: unknown\n$/,
  },
  {
    argv: run("--rm", imageName, "a5", "nowhere"),
    status: 1,
    output: /: exec: "nowhere": executable file not found in \$PATH: unknown\n$/,
  },
  {
    argv: run("--rm", imageName, "a6", "/etc/plain"),
    status: 1,
    output: /: exec: "\/etc\/plain": permission denied: unknown\n$/,
  },
  { shows: "run", argv: run("-d", imageName, "b1", "sleep", "1000"), status: 0, output: /^$/ },
  { argv: ["task", "ls"], status: 0, output: row("b1", "RUNNING") },
  {
    shows: "exec",
    argv: ["task", "exec", "--exec-id", "e1", "b1", "sh", "-c", "echo in; echo err >&2; exit 5"],
    status: 5,
    output: /^in\nerr\n$/,
  },
  {
    argv: ["task", "exec", "--exec-id", "e2", "--user", "1000:1000", "b1", "id", "-u"],
    status: 0,
    output: /^1000\n$/,
  },
  {
    argv: ["task", "exec", "-t", "--exec-id", "e3", "b1", "sh", "-c", lingering],
    status: 0,
    output: /^\/dev\/pts\/0\n$/,
    terminal: true,
  },
  {
    argv: ["task", "exec", "--exec-id", "e4", "b1", "/nowhere"],
    status: 1,
    output:
      /^ctr: OCI runtime exec failed: exec failed: unable to start container process: exec: "\/nowhere": stat \/nowhere: no such file or directory: unknown\n$/,
  },
  { argv: ["task", "ps", "b1"], status: 0, output: /^PID +INFO\nPID +-\n$/ },
  { shows: "pause", argv: ["task", "pause", "b1"], status: 0, output: /^$/ },
  { argv: ["task", "ls"], status: 0, output: row("b1", "PAUSED") },
  {
    argv: ["task", "exec", "--exec-id", "e5", "b1", "true"],
    status: 1,
    output: /cannot exec in a paused state/,
  },
  { shows: "resume", argv: ["task", "resume", "b1"], status: 0, output: /^$/ },
  { argv: ["task", "resume", "b1"], status: 1, output: /not paused|cannot resume/ },
  // The shim reads the groups itself, and finds none where hierarchies are missing.
  { argv: ["task", "metrics", "b1"], output: /memory\.usage_in_bytes|no metrics received/ },
  // Process 1 has no handler for it.
  { argv: ["task", "kill", "-s", "TERM", "b1"], status: 0, output: /^$/ },
  { argv: ["task", "ls"], status: 0, output: row("b1", "RUNNING") },
  { shows: "kill", argv: ["task", "kill", "-s", "KILL", "b1"], status: 0, output: /^$/ },
  { argv: ["wait until stopped", "b1"], status: 0, output: /^$/ },
  { argv: ["task", "kill", "b1"], status: 1, output: /process already finished: not found/ },
  { argv: ["task", "rm", "b1"], status: 0, output: /exit with non-zero exit code 137/ },
  { shows: "rm", argv: ["container", "rm", "b1"], status: 0, output: /^$/ },
  {
    argv: run("-d", "--log-uri", `file://${outputFile}`, imageName, "c1", "sh", "-c", service),
    status: 0,
    output: /^$/,
  },
  { shows: "logs", argv: ["wait for output", "c1"], status: 0, output: /^out\n$/ },
  // What ctr has of a stop.
  { argv: ["task", "kill", "-s", "TERM", "c1"], status: 0, output: /^$/ },
  { argv: ["wait until stopped", "c1"], status: 0, output: /^$/ },
  {
    shows: "stop",
    argv: ["task", "rm", "c1"],
    status: 0,
    output: /exit with non-zero exit code 7/,
  },
  { argv: ["container", "rm", "c1"], status: 0, output: /^$/ },
  // One shim for both, in the directory of the first: of a deleted directory once that one is gone.
  {
    argv: run(
      "-d",
      "--annotation",
      "io.containerd.runc.v2.group=g",
      imageName,
      "g1",
      "sleep",
      "1000",
    ),
    status: 0,
    output: /^$/,
  },
  {
    argv: run(
      "-d",
      "--annotation",
      "io.containerd.runc.v2.group=g",
      imageName,
      "g2",
      "sleep",
      "1000",
    ),
    status: 0,
    output: /^$/,
  },
  { argv: ["task", "rm", "-f", "g1"], status: 0, output: /137/ },
  { argv: ["container", "rm", "g1"], status: 0, output: /^$/ },
  { argv: ["where the shim is", "g2"], status: 0, output: /^\/.* \(deleted\)$/ },
  {
    argv: ["task", "exec", "--exec-id", "e6", "g2", "echo", "still"],
    status: 0,
    output: /^still\n$/,
  },
  { argv: ["task", "ps", "g2"], status: 0, output: /^PID +INFO\nPID +-\n$/ },
  { argv: ["task", "pause", "g2"], status: 0, output: /^$/ },
  { argv: ["task", "resume", "g2"], status: 0, output: /^$/ },
  { argv: ["task", "kill", "-s", "KILL", "g2"], status: 0, output: /^$/ },
  { argv: ["wait until stopped", "g2"], status: 0, output: /^$/ },
  { argv: ["task", "rm", "g2"], status: 0, output: /137/ },
  { argv: ["container", "rm", "g2"], status: 0, output: /^$/ },
  { argv: ["task", "ls"], status: 0, output: /^TASK +PID +STATUS\n$/ },
];

/** Takes one step with a runtime. */
async function take({ argv, terminal }: Step, program: string): Promise<Shown> {
  const [verb, id = ""] = argv;
  const step = argv.join(" ");
  if (verb === "wait until stopped") {
    await until(() => ctr("task", "ls").stdout.includes("STOPPED"));
    return { step, status: ctr("task", "ls").stdout.includes(id) ? 0 : 1, output: "" };
  }
  if (verb === "wait for output") {
    await until(() => existsSync(outputFile) && readFileSync(outputFile, "utf8").includes("\n"));
    const written = readFileSync(outputFile, "utf8");
    rmSync(outputFile);
    return { step, status: 0, output: written };
  }
  if (verb === "where the shim is") {
    const places = processesNaming(address).map((pid) => readlinkSync(`/proc/${pid}/cwd`));
    return { step, status: 0, output: places.join("\n") };
  }
  const options = ["--snapshotter", "native", "--runc-binary", program];
  const place = ["--runc-root", join(room.directory, "runc-root")];
  const full = argv.flatMap((item) => (item === "RUNTIME" ? [...options, ...place] : [item]));
  const shown = terminal === true ? inTerminal(room, command(...full)) : ctr(...full);
  const printed = neutral(shown.stdout + shown.stderr, program).replace(
    /(?<=\s)\d{2,}(?=\s+(-|[A-Z]+)\n)/g,
    "PID",
  );
  // What has been used differs from run to run: the names are compared.
  if (verb === "task" && id === "metrics") {
    return { step, status: shown.status, output: printed.replace(/^(\S+) +\S*\d.*$/gm, "$1") };
  }
  return { step, status: shown.status, output: printed };
}

withEngine("ctr prints and returns with ts-runc what it does with runc", async () => {
  const daemon = startDaemon();
  try {
    await until(() => ctr("version").status === 0);
    const imported = ctr("image", "import", "--snapshotter", "native", makeImage(room));
    assert.is(imported.status, 0, imported.stderr);
    compareSteps(steps, await takeAll());
    // Every shim has gone with its containers.
    await until(() => processesNaming(address).length <= 1);
    assert.equal(processesNaming(address), []);
  } finally {
    // What a step that has failed has left.
    for (const id of ctr("task", "ls", "--quiet").stdout.split("\n").filter(Boolean))
      ctr("task", "rm", "--force", id);
    daemon.kill("SIGTERM");
    await daemon.exited;
    for (const pid of processesNaming(address)) process.kill(pid, "SIGKILL");
    removeEmptyCgroups(topCgroups(namespace));
  }
});

async function takeAll(): Promise<readonly (readonly Shown[])[]> {
  const all: (readonly Shown[])[] = [];
  for (const [, program] of runtimes) {
    const shown: Shown[] = [];
    for (const step of steps) shown.push(await take(step, program));
    all.push(shown);
    assert.equal(removeEmptyCgroups(topCgroups(namespace)), []);
  }
  return all;
}

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
