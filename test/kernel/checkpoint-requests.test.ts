// What a checkpoint asks of CRIU, what it does about what CRIU says, and how it fails: with a criu that plays scenarios. What the
// real one makes of it is in checkpoint.test.ts. Needs root.

import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../../src/base/assert.ts";
import type { Outcome } from "../cli/executable.ts";
import { lastError, openCriuRoom } from "../support/criu-room.ts";
import type { Scenario } from "../support/fake-criu.ts";

const test = suite("kernel/checkpoint-requests");
const { room, criu, sleeper, start, play, request, remove, newImages, end } =
  openCriuRoom("checkpoint-requests");
// Each criu that plays is a Bun of its own, which takes seconds on an emulated processor.
const inMachine = process.env["TS_RUNC_MACHINE"] !== undefined;
if (inMachine) console.log("skip: the machine has the real criu");
const here = inMachine ? test.skip : test;

function checkpoint(id: string, scenario: Scenario, ...options: readonly string[]): Outcome {
  return play(scenario, "checkpoint", ...options, id);
}

here("a checkpoint asks for the version, then for a dump with everything that was said", () => {
  const bundle = sleeper();
  const id = start(bundle);
  const { pid } = present(room.state(id), "the container");
  const directory = newImages();
  const work = newImages();
  mkdirSync(join(room.directory, "before"), { recursive: true });
  const options = [
    ...["--image-path", directory, "--work-path", work, "--parent-path", "../before"],
    ..."--tcp-established --tcp-skip-in-flight --ext-unix-sk --shell-job --file-locks".split(" "),
    ..."--auto-dedup --link-remap --empty-ns network --manage-cgroups-mode strict".split(" "),
    ...["--page-server", "[::1]:27000", "--leave-running"],
  ];
  const outcome = checkpoint(
    id,
    { scripts: ["network-lock", "post-dump", "network-unlock"] },
    ...options,
  );
  assert.equal(outcome, { status: 0, stdout: "", stderr: "" });
  assert.equal(
    criu.asked().map(({ type, notify_success }) => [type, notify_success]),
    [
      ["VERSION", undefined],
      ["DUMP", undefined],
      ["NOTIFY", true],
      ["NOTIFY", true],
      ["NOTIFY", true],
    ],
  );
  const { opts = {}, ...asked } = request("DUMP");
  assert.is(asked.images, directory);
  assert.is(asked.work, work);
  assert.equal(asked.streams, ["/dev/null", "/dev/null", "/dev/null"]);
  const { images_dir_fd, work_dir_fd, ext_mnt, freeze_cgroup, ...rest } = opts;
  assert.match(String(freeze_cgroup), new RegExp(`/${id}$`));
  assert.equal(rest, {
    pid,
    root: bundle.rootfs,
    log_level: 4,
    log_file: "dump.log",
    notify_scripts: true,
    manage_cgroups: true,
    manage_cgroups_mode: "STRICT",
    shell_job: true,
    ext_unix_sk: true,
    tcp_established: true,
    file_locks: true,
    empty_ns: 0x4000_0000,
    orphan_pts_master: true,
    auto_dedup: true,
    lazy_pages: false,
    config_file: "/etc/criu/runc.conf",
    leave_running: true,
    tcp_skip_in_flight: true,
    link_remap: true,
    ps: { address: "::1", port: 27000 },
    parent_img: "../before",
    track_mem: true,
  });
  assert.is(statSync(directory).mode & 0o777, 0o700);
  assert.is(statSync(join(directory, "descriptors.json")).mode & 0o777, 0o600);
  assert.equal(JSON.parse(readFileSync(join(directory, "descriptors.json"), "utf8")), [
    "/dev/null",
    "/dev/null",
    "/dev/null",
  ]);
  assert.is(room.state(id)?.status, "running", "it was to be left running");
  remove(id);
});

here("mounts from outside are named by where they are in the container", () => {
  const source = join(room.directory, "source");
  mkdirSync(source);
  const bundle = sleeper({
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
      { destination: "/link/inner", type: "bind", source, options: ["bind"] },
    ],
    linux: { maskedPaths: ["/proc/kcore", "/proc/acpi", "/proc/nothing", "/etc/secret"] },
  });
  symlinkSync("/tmp", join(bundle.rootfs, "link"));
  writeFileSync(join(bundle.rootfs, "etc/secret"), "");
  const id = start(bundle);
  const { status, stderr } = checkpoint(id, {}, "--image-path", newImages());
  assert.is(status, 0, stderr);
  const { ext_mnt } = request("DUMP").opts ?? {};
  const names = JSON.parse(JSON.stringify(ext_mnt));
  const has = (key: string, val: string): boolean =>
    names.some((mount: { key: string; val: string }) => mount.key === key && mount.val === val);
  assert.ok(has("/tmp/inner", "/tmp/inner"), JSON.stringify(names));
  assert.ok(has("/etc/secret", "/dev/null"));
  assert.ok(has("/dev/urandom", "/dev/urandom"));
  assert.not.ok(has("/proc/nothing", "/dev/null"));
  assert.not.ok(has("/proc/acpi", "/dev/null"), "a directory is masked by a tmpfs");
});

here("a container that has been saved is gone, paused or not", async () => {
  for (const paused of [false, true]) {
    const id = start(sleeper());
    if (paused) assert.is(room.tsRunc(["pause", id]).status, 0);
    const { status, stderr } = checkpoint(id, {}, "--image-path", newImages());
    assert.is(status, 0, stderr);
    assert.is(room.state(id), undefined);
  }
  assert.equal(await room.leftoverProcesses(), []);
});

here("a pre-dump asks whether the kernel tracks memory, and leaves everything as it was", () => {
  const id = start(sleeper());
  const directory = newImages();
  const features = { mem_track: true };
  // CRIU waits for the dump, and is not content without.
  const options = ["--pre-dump", "--image-path", directory];
  const { status, stderr } = checkpoint(id, { features, status: 1 }, ...options);
  assert.is(status, 0, stderr);
  assert.equal(request("FEATURE_CHECK").features, { mem_track: true });
  const { opts = {} } = request("PRE_DUMP");
  assert.is(opts["ext_mnt"], undefined);
  assert.not.ok(existsSync(join(directory, "descriptors.json")));
  assert.is(room.state(id)?.status, "running");
  const refused = checkpoint(id, { features: {} }, ...options);
  assert.is(refused.status, 1);
  assert.is(lastError(refused), "criu is missing features: [MemTrack]");
  remove(id);
});

here("who waits for lazy pages is told by a NUL byte, by us or by an old criu", async () => {
  const id = start(sleeper());
  for (const [version, named] of [
    [[3, 17, 1], false],
    [[3, 14, 0], true],
  ] as const) {
    criu.play({ version, features: { lazy_pages: true }, scripts: ["status-ready"] });
    const path = join(room.directory, `status${named}`);
    const options = ["--leave-running", "--lazy-pages", "--status-fd", "3"];
    const argv = room.command("checkpoint", ...options, "--image-path", newImages(), id);
    const child = Bun.spawn(argv, {
      env: criu.env,
      stdio: ["ignore", "ignore", "inherit", openSync(path, "w")],
    });
    assert.is(await child.exited, 0);
    const { opts = {} } = request("DUMP");
    assert.is(opts["lazy_pages"], true);
    assert.is(opts["status_fd"], named ? 3 : undefined);
    assert.equal([...readFileSync(path)], named ? [] : [0]);
  }
  const missing = checkpoint(id, {}, "--lazy-pages", "--image-path", newImages());
  assert.is(lastError(missing), "criu is missing features: [LazyPages]");
  const features = { lazy_pages: true };
  const closed = ["--lazy-pages", "--status-fd", "77", "--image-path", newImages()];
  assert.is(
    lastError(checkpoint(id, { features }, ...closed)),
    "invalid --status-fd argument 77: bad file descriptor",
  );
  remove(id);
});

here("when criu fails, its log is quoted and the container goes on", () => {
  const id = start(sleeper());
  const directory = newImages();
  const before = ["one", "two", "three", "four", "five", "six"];
  const log = [...before, "Error (x.c:1): no", ...before, ...before, "Error again", ""].join("\n");
  const failure = { errno: 5, message: "no\n", log };
  const outcome = checkpoint(id, { failure }, "--image-path", directory);
  assert.is(outcome.status, 1);
  assert.is(lastError(outcome), "criu failed: type DUMP errno 5: no");
  const quoted = [...outcome.stderr.matchAll(/level=warning msg=("?)(.*)\1$/gm)].map(
    ([, , text]) => text,
  );
  assert.equal(quoted, [
    `--- Quoting \\"${directory}/dump.log\\"`,
    ...["2:two", "3:three", "4:four", "5:five", "6:six", "7:Error (x.c:1): no", "..."],
    ...["15:two", "16:three", "17:four", "18:five", "19:six", "20:Error again", "---"],
  ]);
  assert.is(room.state(id)?.status, "running");
  for (const [scenario, error] of [
    [
      { scripts: ["network-lock"], exitAt: { script: "network-lock", status: 2 } },
      "criu failed: it ended without an answer",
    ],
    [{ garbage: true }, "unable to parse the response of criu"],
    [{ version: [2, 12, 0] }, "CRIU version 21200 must be 30000 or higher"],
  ] as const) {
    const failed = checkpoint(id, scenario, "--image-path", newImages());
    assert.is(failed.status, 1);
    assert.is(lastError(failed), error);
    assert.is(room.state(id)?.status, "running");
  }
  const late = checkpoint(id, { status: 7 }, "--leave-running", "--image-path", newImages());
  assert.is(lastError(late), "criu failed: it has ended with status 7");
  remove(id);
});

here("without criu both commands say so in runc's words", () => {
  const bundle = sleeper();
  const id = start(bundle);
  const error = 'CRIU version check failed: exec: \\"criu\\": executable file not found in $PATH';
  const empty = { env: { PATH: join(room.directory, "nowhere") } };
  const saved = room.tsRunc(["checkpoint", "--image-path", newImages(), id], empty);
  assert.equal([saved.status, lastError(saved)], [1, error]);
  const restored = room.newId();
  const options = ["--image-path", room.directory, "-b", bundle.directory];
  const failed = room.tsRunc(["restore", ...options, restored], empty);
  assert.equal([failed.status, lastError(failed)], [1, error]);
  assert.is(room.state(restored), undefined);
  remove(id);
});

here("what cannot be meant is refused in runc's words, and nothing is asked of criu", () => {
  const id = start(sleeper());
  const directory = newImages();
  mkdirSync(directory);
  writeFileSync(join(directory, "file"), "");
  for (const [options, error] of [
    [["--parent-path", "/before"], "--parent-path must be relative"],
    [
      ["--parent-path", "nothing"],
      `invalid --parent-path: stat ${directory}/nothing: no such file or directory`,
    ],
    [["--parent-path", "file"], `invalid --parent-path: stat ${directory}/file: not a directory`],
    [["--page-server", "host"], "Use --page-server ADDRESS:PORT to specify page server"],
    [["--page-server", ":1"], "Use --page-server ADDRESS:PORT to specify page server"],
    [["--page-server", "host:http"], "Invalid port number"],
    [["--manage-cgroups-mode", "odd"], "invalid manage-cgroups-mode value"],
    [["--empty-ns", "pid"], 'namespace \\"pid\\" is not supported'],
  ] as const) {
    const outcome = checkpoint(id, {}, "--image-path", directory, ...options);
    assert.equal([outcome.status, lastError(outcome)], [1, error]);
    assert.equal(criu.asked(), []);
  }
  remove(id);
});

here("a container that does not run cannot be saved", () => {
  const bundle = sleeper();
  const id = room.newId();
  assert.is(room.tsRunc(["create", "-b", bundle.directory, id]).status, 0);
  const error = "Container cannot be checkpointed in";
  assert.is(lastError(checkpoint(id, {})), `${error} created state`);
  assert.is(room.tsRunc(["kill", id, "KILL"]).status, 0);
  assert.is(lastError(checkpoint(id, {})), `${error} stopped state`);
  remove(id);
  assert.is(lastError(checkpoint(id, {})), "container does not exist");
  assert.not.ok(existsSync(join(room.directory, "checkpoint")), "no directory was made");
});

test.after(async () => assert.equal(await end(), []));

test.run();
