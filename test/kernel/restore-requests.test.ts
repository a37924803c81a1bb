// What a restore asks of CRIU, what it does about what CRIU says, and how it fails: with a criu that plays scenarios. What the
// real one makes of it is in checkpoint.test.ts. Needs root.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../../src/base/assert.ts";
import { runOnTerminal } from "../cli/executable.ts";
import { lastError, openCriuRoom } from "../support/criu-room.ts";
import { listenAt, receiveDescriptor } from "../support/descriptor-socket.ts";
import { runBriefly, until } from "../support/room.ts";
import { terminalMounts } from "../support/terminal.ts";

const test = suite("kernel/restore-requests");
const { room, criu, sleeper, start, play, request, remove, newImages, savedImages, end } =
  openCriuRoom("restore-requests");
// Each criu that plays is a Bun of its own, which takes seconds on an emulated processor.
const inMachine = process.env["TS_RUNC_MACHINE"] !== undefined;
if (inMachine) console.log("skip: the machine has the real criu");
const here = inMachine ? test.skip : test;

const restoring = ["setup-namespaces", "post-setup-namespaces", "post-restore", "post-resume"];

here(
  "a restore runs criu in the container's cgroup, on a root that the host does not see",
  async () => {
    const source = join(room.directory, "restore-source");
    mkdirSync(source);
    const bundle = sleeper({
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        { destination: "/dev", type: "tmpfs", source: "tmpfs" },
        { destination: "/dev/inner", type: "bind", source, options: ["bind"] },
        { destination: "/link/new/place", type: "bind", source, options: ["rbind"] },
        { destination: "/link/new/place/deep", type: "tmpfs", source: "tmpfs" },
      ],
      linux: { maskedPaths: ["/proc/kcore"], resources: { pids: { limit: 50 } } },
      annotations: { "org.criu.config": "" },
    });
    symlinkSync("/tmp", join(bundle.rootfs, "link"));
    const id = room.newId();
    const directory = savedImages(["pipe:[17]", "/dev/null", "pipe:[18]"]);
    const pidFile = join(room.directory, "pid");
    const outcome = play(
      { scripts: restoring },
      ...["restore", "--detach", "-b", bundle.directory, "--image-path", directory],
      ...["--pid-file", pidFile, "-no-subreaper", "--lsm-profile", "apparmor:other"],
      ...["--lsm-mount-context", "context", id],
    );
    assert.equal(outcome, { status: 0, stdout: "", stderr: "" });
    const { opts = {}, ...asked } = request("RESTORE");
    const { images_dir_fd, ext_mnt, cg_root, root, ...rest } = opts;
    assert.equal(rest, {
      log_level: 4,
      log_file: "restore.log",
      notify_scripts: true,
      manage_cgroups: true,
      manage_cgroups_mode: "DEFAULT",
      shell_job: false,
      ext_unix_sk: false,
      tcp_established: false,
      file_locks: false,
      empty_ns: 0x4000_0000,
      orphan_pts_master: true,
      auto_dedup: false,
      lazy_pages: false,
      evasive_devices: true,
      rst_sibling: true,
      inherit_fd: [
        { key: "pipe:[17]", fd: 0 },
        { key: "pipe:[18]", fd: 2 },
      ],
      lsm_profile: "apparmor:other",
      lsm_mount_context: "context",
    });
    assert.is(asked.images, directory);
    assert.match(asked.cgroup, id);
    const roots: readonly { ctrl: string; path: string }[] = JSON.parse(JSON.stringify(cg_root));
    for (const { ctrl, path } of roots) {
      assert.match(asked.cgroup, new RegExp(`^\\d+:(.*,)?${ctrl}(,.*)?:${path}$`, "m"));
    }
    assert.ok(
      asked.mounts.some((line) => line.split(" ")[4] === root),
      "the root is a mount",
    );
    assert.not.ok(
      asked.mounts.some((line) => line.includes("/tmp/new/place")),
      "the binds are not",
    );
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    assert.not.match(mounts, String(root), "the host sees nothing of it");
    assert.not.ok(existsSync(String(root)), "its place is gone");
    const named = new Map<string, string>(
      JSON.parse(JSON.stringify(ext_mnt)).map(({ key, val }: { key: string; val: string }) => [
        key,
        val,
      ]),
    );
    assert.is(named.get("/dev/inner"), source);
    assert.is(named.get("/tmp/new/place"), source, "through the links of the rootfs");
    assert.is(named.get("/dev/null"), "/dev/null");
    assert.ok(statSync(join(bundle.rootfs, "tmp/new/place")).isDirectory());
    assert.ok(statSync(join(source, "deep")).isDirectory(), "a mount point in a bind");
    assert.not.ok(existsSync(join(bundle.rootfs, "dev/inner")), "CRIU brings a tmpfs back itself");
    const state = room.state(id);
    assert.is(state?.status, "running");
    assert.is(readFileSync(pidFile, "utf8"), `${state?.pid}`);
    const record = JSON.parse(
      readFileSync(join(room.directory, "state", id, "state.json"), "utf8"),
    );
    assert.is(record.init_process_pid, state?.pid);
    assert.ok(record.tsRunc.madeCgroups.length > 0);
    const again = play({}, "restore", "-b", bundle.directory, "--image-path", directory, id);
    assert.is(lastError(again), "container with given ID already exists");
    assert.is(room.tsRunc(["kill", id, "KILL"]).status, 0);
    await until(() => room.state(id)?.status === "stopped");
    assert.equal(room.tsRunc(["delete", id]), { status: 0, stdout: "", stderr: "" });
  },
);

here("namespaces of others are left alone when saved, and handed in when restored", () => {
  const holder = Bun.spawn(["unshare", "--net", "sleep", "1000"], { stdin: "ignore" });
  try {
    const path = `/proc/${holder.pid}/ns/net`;
    const own = readlinkSync("/proc/self/ns/net");
    while (readlinkSync(path) === own) Bun.sleepSync(10);
    const namespaces = [{ type: "mount" }, { type: "pid" }, { type: "network", path }] as const;
    const bundle = sleeper({ linux: { namespaces } });
    const id = start(bundle);
    const { status, stderr } = play({}, "checkpoint", "--image-path", newImages(), id);
    assert.is(status, 0, stderr);
    const link = readlinkSync(path);
    const inode = /\d+/.exec(link)?.[0] ?? "";
    assert.equal(request("DUMP").opts?.["external"], [`net[${inode}]:extRootNetNS`]);
    const options = ["restore", "-d", "-b", bundle.directory, "--image-path", savedImages()];
    const restored = play({ scripts: restoring }, ...options, id);
    assert.is(restored.status, 0, restored.stderr);
    const { opts = {}, inherited } = request("RESTORE");
    assert.equal(opts["inherit_fd"], [{ key: "extRootNetNS", fd: 4 }]);
    assert.equal(inherited, [link]);
    remove(id);
    const old = play({ version: [3, 10, 0] }, ...options, id);
    assert.is(
      lastError(old),
      "criu lacks support for external net namespace during the restoration process (old criu version?)",
    );
  } finally {
    holder.kill("SIGKILL");
  }
});

here("namespaces that criu joins are named, and a cgroup namespace is refused", () => {
  const path = "/proc/self/ns/uts";
  const joining = (type: "uts" | "cgroup") =>
    sleeper({ linux: { namespaces: [{ type: "mount" }, { type: "pid" }, { type, path }] } });
  const options = ["restore", "-d", "--image-path", savedImages(), "-b"];
  const id = room.newId();
  const { status, stderr } = play({ scripts: restoring }, ...options, joining("uts").directory, id);
  assert.is(status, 0, stderr);
  assert.equal(request("RESTORE").opts?.["join_ns"], [{ ns: "uts", ns_file: path }]);
  remove(id);
  const refused = play({}, ...options, joining("cgroup").directory, id);
  assert.equal(
    [refused.status, lastError(refused)],
    [1, "Do not know how to handle namespace NEWCGROUP"],
  );
});

here("mounts whose ids are translated are refused", () => {
  const map = [{ containerID: 0, hostID: 1000, size: 1 }];
  const mount = { source: "/tmp", destination: "/tmp", options: ["bind", "idmap"] };
  const mounts = [{ ...mount, uidMappings: map, gidMappings: map }];
  const { directory } = sleeper({ mounts });
  const options = ["restore", "-b", directory, "--image-path", savedImages()];
  assert.is(
    lastError(play({}, ...options, room.newId())),
    "criu does not know idmapped mounts, and mounts[0] is one",
  );
  assert.equal(criu.asked(), []);
});

here("labels need a criu that can change them", () => {
  const bundle = sleeper();
  for (const name of ["--lsm-profile", "--lsm-mount-context"]) {
    const options = ["-b", bundle.directory, "--image-path", savedImages(), name, "x:y"];
    const outcome = play({ version: [3, 15, 0] }, "restore", ...options, room.newId());
    assert.equal([outcome.status, lastError(outcome)], [1, `${name} requires at least CRIU 3.16`]);
  }
});

here("a restore in the foreground ends with the container's status, which is gone then", () => {
  const bundle = sleeper();
  const id = room.newId();
  const options = ["restore", "-b", bundle.directory, "--image-path", savedImages()];
  const program = ["sh", "-c", "sleep 1; exit 7"];
  const outcome = play({ scripts: restoring, program }, ...options, id);
  assert.equal(outcome, { status: 7, stdout: "", stderr: "" });
  assert.is(room.state(id), undefined);
});

here("signals reach a container that was restored in the foreground", async () => {
  const bundle = sleeper();
  const id = room.newId();
  criu.play({ scripts: restoring });
  const options = ["restore", "-b", bundle.directory, "--image-path", savedImages(), id];
  const child = Bun.spawn(room.command(...options), {
    env: criu.env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  await until(() => room.state(id)?.status === "running");
  // The runtime still talks to criu when the container can be seen: signals are forwarded by then.
  child.kill("SIGTERM");
  assert.is(await child.exited, 128 + 15);
  assert.is(room.state(id), undefined);
});

here("the terminal of a restored container is sent to the console socket", () => {
  const bundle = sleeper({ process: { terminal: true }, mounts: terminalMounts });
  const path = join(room.directory, "console.sock");
  using listener = listenAt(path);
  const id = room.newId();
  const options = ["-b", bundle.directory, "--image-path", savedImages()];
  const scripts = ["setup-namespaces", "orphan-pts-master", "post-restore"];
  const outcome = play({ scripts }, "restore", "-d", "--console-socket", path, ...options, id);
  assert.is(outcome.status, 0, outcome.stderr);
  using master = receiveDescriptor(listener).descriptor;
  assert.is(readlinkSync(`/proc/self/fd/${master.fd}`), "/dev/ptmx");
  remove(id);
  assert.is(
    lastError(play({}, "restore", "-d", ...options, id)),
    "cannot allocate tty if runc will detach without setting console socket",
  );
});

here("network devices of the config are moved into a namespace that is made anew", async () => {
  const holder = Bun.spawn(["unshare", "--net", "sleep", "1000"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    const own = readlinkSync("/proc/self/ns/net");
    await until(() => readlinkSync(`/proc/${holder.pid}/ns/net`) !== own);
    const among = (...argv: readonly string[]) =>
      runBriefly(["nsenter", `--net=/proc/${holder.pid}/ns/net`, ...argv], { env: criu.env });
    const pair = ["ip", "link", "add", "moved", "type", "veth", "peer", "name", "peer"];
    assert.is(among(...pair).status, 0);
    const namespaces = ["pid", "mount", "network"].map((type) => ({ type }));
    const bundle = sleeper({ linux: { namespaces, netDevices: { moved: { name: "inside" } } } });
    const id = room.newId();
    criu.play({ scripts: restoring, program: ["unshare", "--net", "sleep", "1000"] });
    const options = ["-d", "-b", bundle.directory, "--image-path", savedImages(), id];
    const { status, stderr } = among(...room.command("restore", ...options));
    assert.is(status, 0, stderr);
    const { pid } = present(room.state(id), "the container");
    const seen = readFileSync(`/proc/${pid}/net/dev`, "utf8");
    assert.match(seen, /^ *inside:/m);
    assert.not.match(readFileSync(`/proc/${holder.pid}/net/dev`, "utf8"), /^ *moved:/m);
    remove(id);
  } finally {
    holder.kill("SIGKILL");
    await holder.exited;
  }
});

here("in the foreground the terminal of a restored container is the caller's", async () => {
  const bundle = sleeper({ process: { terminal: true }, mounts: terminalMounts });
  const id = room.newId();
  const scripts = ["setup-namespaces", "orphan-pts-master", "post-restore"];
  const program = ["sh", "-c", "sleep 1; exit 5"];
  criu.play({ scripts, program, says: "from inside" });
  const options = ["restore", "-b", bundle.directory, "--image-path", savedImages(), id];
  const { status, shown } = await runOnTerminal(room.command(...options), { env: criu.env });
  assert.is(status, 5, shown);
  assert.match(shown, /from inside/);
  assert.is(room.state(id), undefined);
  // Without one to relay there is nothing to give.
  const alone = play({ scripts, program }, ...options);
  assert.is(alone.status, 1);
  assert.match(lastError(alone), /terminal|tty|ioctl/);
});

here(
  "the hooks of the host run when the namespaces are there, and those of the end in the end",
  () => {
    const notes = join(room.directory, "hooks");
    const hook = (name: string, status = 0) => {
      const script = `cat >>${notes}; echo " ${name}" >>${notes}; exit ${status}`;
      return [{ path: "/bin/sh", args: ["sh", "-c", script] }];
    };
    const points = ["prestart", "createRuntime", "createContainer", "startContainer"];
    const all = [...points, "poststart", "poststop"].map((point) => [point, hook(point)]);
    const hooks = Object.fromEntries(all);
    const options = ["restore", "-d", "--image-path", savedImages(), "-b"];
    const id = room.newId();
    const { status, stderr } = play(
      { scripts: restoring },
      ...options,
      sleeper({ hooks }).directory,
      id,
    );
    assert.is(status, 0, stderr);
    const { pid } = present(room.state(id), "the container");
    remove(id);
    const told = readFileSync(notes, "utf8").trim().split("\n");
    assert.equal(
      told.map((line) => /}\s(\w+)$/.exec(line)?.[1]),
      ["prestart", "createRuntime", "poststop"],
    );
    for (const line of told.slice(0, 2)) {
      const state = JSON.parse(line.slice(0, line.lastIndexOf("}") + 1));
      assert.equal([state.id, state.status, state.pid], [id, "creating", pid]);
    }
    const failing = sleeper({ hooks: { ...hooks, createRuntime: hook("createRuntime", 3) } });
    const failed = play({ scripts: restoring }, ...options, failing.directory, id);
    assert.match(lastError(failed), /error running createRuntime hook #0: .*exit status 3/);
    assert.is(room.state(id), undefined);
  },
);

here("a restore that fails, at whatever point, leaves nothing", async () => {
  const bundle = sleeper();
  const options = ["restore", "-d", "-b", bundle.directory, "--image-path", savedImages()];
  const failure = { errno: 3, log: "Error: no such thing\n" };
  for (const [scenario, error] of [
    [{ failure }, "criu failed: type RESTORE errno 3"],
    [{ scripts: restoring, failure }, "criu failed: type RESTORE errno 3"],
    [{ scripts: restoring, status: 9 }, "criu failed: it has ended with status 9"],
    [{ scripts: [] }, "criu failed: it did not say which process it restored"],
    ...restoring.map(
      (script) =>
        [
          { scripts: restoring, exitAt: { script, status: 1 } },
          "criu failed: it ended without an answer",
        ] as const,
    ),
  ] as const) {
    const outcome = play(scenario, ...options, room.newId());
    assert.equal([outcome.status, lastError(outcome)], [1, error], JSON.stringify(scenario));
    if ("failure" in scenario) assert.match(outcome.stderr, "1:Error: no such thing");
  }
  const missing = ["-b", bundle.directory, "--image-path", newImages()];
  assert.match(lastError(play({}, "restore", ...missing, room.newId())), /no such file or dir/);
  assert.equal(await room.leftovers(), []);
});

here("a group that another container uses is not restored into, and is left alone", () => {
  const cgroupsPath = room.newId();
  const bundle = sleeper({ linux: { cgroupsPath } });
  const first = start(bundle);
  const directory = savedImages();
  const common = ["--detach", "-b", bundle.directory, "--image-path", directory];
  const outcome = play({ scripts: restoring }, "restore", ...common, room.newId());
  assert.is(outcome.status, 1);
  assert.match(lastError(outcome), "container's cgroup is not empty");
  assert.is(room.state(first)?.status, "running");
  remove(first);
});

here("what a restore that was killed leaves, delete --force removes", async () => {
  const bundle = sleeper();
  const id = room.newId();
  // Nobody answers the last one: the runtime is stopped in it.
  criu.play({ scripts: ["setup-namespaces"], program: ["sleep", "1000"] });
  const options = ["restore", "-d", "-b", bundle.directory, "--image-path", savedImages(), id];
  const strace = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=recvmsg"];
  const inject = ["-e", "inject=recvmsg:signal=KILL:when=2"];
  const child = Bun.spawn([...strace, ...inject, ...room.command(...options)], {
    env: criu.env,
    stdio: ["ignore", "ignore", "ignore"],
  });
  await child.exited;
  assert.is(room.state(id)?.status, "stopped");
  assert.ok(readdirSync(bundle.rootfs).length > 3);
  remove(id);
  assert.ok(readdirSync(bundle.rootfs).length > 3, "the rootfs is not what is deleted");
  assert.equal(await room.leftovers(), []);
});

test.after(async () => assert.equal(await end(), []));

test.run();
