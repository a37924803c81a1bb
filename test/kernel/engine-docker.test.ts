// docker with ts-runc as the runtime of its shim, beside runc: what docker prints and returns, and what is left. Every
// container has a prestart hook then. Needs root.

import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
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

const test = suite("kernel/engine-docker");
const client = "/usr/bin/docker";
const needed = [client, "/usr/sbin/dockerd", "/usr/bin/containerd", "/usr/bin/script"];
const missing = needed.filter((path) => !existsSync(path));
if (missing.length > 0) console.log(`skip: ${missing.join(" and ")}: not installed`);
const withEngine = missing.length === 0 ? test : test.skip;

const room = openRoom("docker");
const address = `unix://${join(room.directory, "d.sock")}`;
const cgroupParent = `ts-runc-test-docker-${process.pid}`;
const log = join(room.directory, "dockerd.log");

/** Starts a daemon with a containerd of its own, which shares nothing with another one of this host. */
function startDaemon(): Bun.Subprocess {
  const config = join(room.directory, "daemon.json");
  const programs = Object.fromEntries(runtimes.map(([name, path]) => [nameOf(name), { path }]));
  writeFileSync(config, JSON.stringify({ runtimes: programs }));
  const place = (name: string): string => join(room.directory, name);
  const argv = [
    ...["dockerd", "--config-file", config, "--host", address, "--pidfile", place("pid")],
    ...["--data-root", place("data"), "--exec-root", place("run"), "--storage-driver", "vfs"],
    ...["--iptables=false", "--ip6tables=false", "--bridge=none"],
    ...["--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", `/${cgroupParent}`],
  ];
  return Bun.spawn(argv, { stdio: ["ignore", Bun.file(log), Bun.file(log)] });
}

/** docker keeps the name `runc` for itself. */
function nameOf(runtime: RuntimeName): string {
  return `compared-${runtime}`;
}

const command = (...argv: readonly string[]): string[] => [client, "--host", address, ...argv];
const docker = (...argv: readonly string[]) =>
  runBriefly(command(...argv), { env: { PATH: process.env["PATH"] ?? "", HOME: room.directory } });

const run = (...argv: readonly string[]): readonly string[] => [
  ...["run", "--network", "none", "--runtime", "RUNTIME"],
  ...argv,
];
const service = `echo out; trap "exit 7" TERM; sleep 1000 & wait`;
const shell = (script: string): readonly string[] => ["sh", "-c", script];

const steps: readonly Step[] = [
  {
    shows: "exit code",
    argv: run("--rm", imageName, ...shell("echo out; id -u; echo err >&2; exit 3")),
    status: 3,
    output: /^out\n0\nerr\n$/,
  },
  {
    shows: "terminal",
    argv: run("--rm", "-t", imageName, ...shell("readlink /proc/self/fd/0; exit 4")),
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
      ...shell("id -u; echo $A"),
    ),
    status: 0,
    output: /^1000\nb c\n$/,
  },
  {
    argv: run(
      ...["--rm", "--memory", "32m", "--pids-limit", "50", "--cpus", "0.5", "--read-only"],
      ...["--cap-drop", "ALL", "--hostname", "box", "--tmpfs", "/tmp:size=64k", "--init"],
      ...[
        imageName,
        ...shell("hostname; grep CapEff /proc/self/status; touch /x; df /tmp | tail -1"),
      ],
    ),
    status: 0,
    output:
      /^box\nCapEff:\s0000000000000000\ntmpfs 64 0 64 0% \/tmp\ntouch: \/x: Read-only file system\n$/,
  },
  {
    argv: run("--rm", imageName, "/nowhere"),
    status: 127,
    output: /exec: "\/nowhere": stat \/nowhere: no such file or directory: unknown\.\n/,
  },
  {
    argv: run("--rm", imageName, "nowhere"),
    status: 127,
    output: /exec: "nowhere": executable file not found in \$PATH: unknown\.\n/,
  },
  {
    argv: run("--rm", imageName, "/etc/plain"),
    status: 126,
    output: /exec: "\/etc\/plain": permission denied: unknown\.\n/,
  },
  {
    shows: "run",
    argv: run("-d", "--name", "d1", imageName, ...shell(service)),
    status: 0,
    output: /^ID\n$/,
  },
  { shows: "logs", argv: ["wait for output", "d1", "1"], status: 0, output: /^out\n$/ },
  {
    shows: "exec",
    argv: ["exec", "d1", ...shell("echo in; echo err >&2; exit 5")],
    status: 5,
    output: /^in\nerr\n$/,
  },
  { argv: ["exec", "--user", "33", "d1", "id", "-u"], status: 0, output: /^33\n$/ },
  {
    argv: ["exec", "-t", "d1", "readlink", "/proc/self/fd/0"],
    status: 0,
    output: /^\/dev\/pts\/0\n$/,
    terminal: true,
  },
  {
    argv: ["exec", "d1", "/nowhere"],
    // docker 20.10 makes nothing of it for exec.
    status: 126,
    output: /stat \/nowhere: no such file or directory/,
  },
  { argv: ["exec", "d1", "/etc/plain"], status: 126, output: /permission denied/ },
  {
    argv: ["top", "d1", "-o", "pid,args"],
    status: 0,
    output: /^PID COMMAND\nPID sh -c .*\nPID sleep 1000\n$/,
  },
  { argv: ["stats", "--no-stream", "--format", "{{.Name}}", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["update", "--memory", "64m", "--memory-swap", "64m", "d1"], status: 0, output: /^d1\n/ },
  { shows: "pause", argv: ["pause", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["ps", "-a", "--format", "{{.Names}} {{.State}}"], status: 0, output: /^d1 paused\n$/ },
  { argv: ["exec", "d1", "true"], status: 1, output: /is paused/ },
  { shows: "resume", argv: ["unpause", "d1"], status: 0, output: /^d1\n$/ },
  { shows: "stop", argv: ["stop", "--time", "10", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["inspect", "--format", "{{.State.ExitCode}}", "d1"], status: 0, output: /^7\n$/ },
  // Made anew from the same config.
  { argv: ["start", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["wait for output", "d1", "2"], status: 0, output: /^out\nout\n$/ },
  { shows: "kill", argv: ["kill", "d1"], status: 0, output: /^d1\n$/ },
  { argv: ["wait", "d1"], status: 0, output: /^137\n$/ },
  { shows: "rm", argv: ["rm", "d1"], status: 0, output: /^d1\n$/ },
  { argv: run("-d", "--name", "d2", imageName, "sleep", "1000"), status: 0, output: /^ID\n$/ },
  { argv: ["rm", "--force", "d2"], status: 0, output: /^d2\n$/ },
  { argv: ["ps", "-a", "-q"], status: 0, output: /^$/ },
];

async function take({ argv, terminal }: Step, name: RuntimeName, program: string): Promise<Shown> {
  const step = argv.join(" ");
  const [verb, id = "", lines] = argv;
  const waits = verb === "wait for output";
  const written = (): number => docker("logs", id).stdout.split("\n").length - 1;
  if (waits) await until(() => written() >= Number(lines));
  const asked = argv.map((item) => (item === "RUNTIME" ? nameOf(name) : item));
  const full = waits ? ["logs", id] : asked;
  const { status, stdout, stderr } =
    terminal === true ? inTerminal(room, command(...full)) : docker(...full);
  const output = neutral(stdout + stderr, program)
    .replace(/^\d{2,} (?=sh|sleep)/gm, "PID ")
    // The client says so when it is slower than the daemon's error.
    .replace(/^.*error waiting for container: context canceled.*\n/m, "");
  return { step, status, output };
}

withEngine("docker prints and returns with ts-runc what it does with runc", async () => {
  const before = readdirSync("/sys/fs/cgroup");
  const daemon = startDaemon();
  try {
    await until(() => docker("version").status === 0);
    const loaded = docker("load", "--input", makeImage(room));
    assert.is(loaded.status, 0, loaded.stderr + readFileSync(log, "utf8").slice(-3000));
    const all: (readonly Shown[])[] = [];
    for (const [name, program] of runtimes) {
      const shown: Shown[] = [];
      for (const step of steps) shown.push(await take(step, name, program));
      all.push(shown);
      assert.equal(removeEmptyCgroups(topCgroups(cgroupParent)), []);
    }
    compareSteps(steps, all);
  } finally {
    docker("rm", "--force", "d1", "d2");
    daemon.kill("SIGTERM");
    await daemon.exited;
    for (const pid of processesNaming(room.directory)) process.kill(pid, "SIGKILL");
    removeEmptyCgroups(topCgroups(cgroupParent));
    const added = readdirSync("/sys/fs/cgroup").filter((name) => !before.includes(name));
    for (const name of added) rmdirSync(join("/sys/fs/cgroup", name));
  }
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
