// Containers of an ordinary user, with the built executable and beside Debian's runc: made, entered, ended, refused.
// Needs root, which it puts off.

import {
  chmodSync,
  chownSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../../src/spec/types.ts";
import { executable, type Outcome, runc } from "../cli/executable.ts";
import {
  cgroupV2,
  gid,
  mkdirFor,
  openUser,
  programs,
  uid,
  withLinux,
} from "../support/ordinary-user.ts";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/rootless");
const room = openRoom("rootless");
const { asUser, bundle, expectNothingLeft, home, running, runtime, runtimeDirectory } =
  openUser(room);

/** Standard error without what differs between two runs: time, program, ids. */
function words({ stderr }: Outcome): string {
  return stderr.replace(/time="[^"]*" /g, "").trim();
}

test.after(() => room.remove());

test.after.each(expectNothingLeft);

test("spec --rootless writes a config that run runs, as it is but for the terminal", () => {
  const { directory, rootfs } = room.makeBundle();
  rmSync(join(directory, "config.json"));
  chownSync(directory, uid, gid);
  chownSync(rootfs, uid, gid);
  const written = runtime("ts-runc", ["spec", "--rootless", "--bundle", directory]);
  assert.is(written.status, 0, written.stderr);
  const config = join(directory, "config.json");
  const text = readFileSync(config, "utf8").replace('"terminal": true', '"terminal": false');
  writeFileSync(
    config,
    text.replace('"sh"', '"sh", "-c", "id -u; cat /proc/self/uid_map; exit 3"'),
  );
  const ran = runtime("ts-runc", ["run", "--bundle", directory, room.newId()]);
  assert.is(ran.status, 3, ran.stderr);
  assert.is(ran.stderr, "");
  assert.match(ran.stdout, new RegExp(`^0\\n +0 +${uid} +1\\n$`));
});

test("the state root is made in XDG_RUNTIME_DIR, with the sticky bit", () => {
  const { status, stderr } = runtime("ts-runc", ["list"]);
  assert.is(status, 0, stderr);
  const { mode, uid: owner } = statSync(join(runtimeDirectory, "ts-runc"));
  assert.is(mode & 0o7777, 0o1700);
  assert.is(owner, uid);
});

test("the state root is not made through a link that somebody has put in its place", () => {
  const victim = mkdirFor(join(room.directory, "victim"), 0o755);
  const hostile = mkdirFor(join(room.directory, "hostile"), 0o700);
  assert.is(asUser(["ln", "-s", victim, join(hostile, "ts-runc")]).status, 0);
  const { status, stderr } = runtime("ts-runc", ["list"], {
    environment: { XDG_RUNTIME_DIR: hostile },
  });
  assert.is(status, 1);
  assert.match(
    stderr,
    /making the state directory in \$XDG_RUNTIME_DIR.*not a directory|too many levels/,
  );
  assert.is(statSync(victim).mode & 0o7777, 0o755);
});

test("without XDG_RUNTIME_DIR the state root is root's, and the refusal says so", () => {
  const directory = bundle();
  const { status, stderr } = runtime("ts-runc", ["run", "-b", directory, room.newId()], {
    environment: { XDG_RUNTIME_DIR: "" },
  });
  assert.is(status, 1);
  assert.match(stderr, /making the container's state directory: mkdirat .*\/run\/ts-runc/);
  assert.match(stderr, /permission denied/);
});

const life: readonly (readonly [name: string, argv: readonly string[]])[] = [
  ["exec of a created one", ["exec", "ID", "id", "-u"]],
  ["ps", ["ps", "--format", "json", "ID"]],
  ["start", ["start", "ID"]],
  [
    "exec",
    ["exec", "ID", "sh", "-c", "id; cat /proc/self/uid_map /proc/self/oom_score_adj; exit 4"],
  ],
  ["exec with a group", ["exec", "--additional-gids", "5", "ID", "id"]],
  ["exec as an unmapped user", ["exec", "-u", "5", "ID", "id"]],
  ["pause", ["pause", "ID"]],
  ["resume", ["resume", "ID"]],
  ["update", ["update", "--pids-limit", "20", "ID"]],
  ["kill", ["kill", "ID", "KILL"]],
];

test("the life of a container without any cgroup rights goes as with runc: statuses, output, refusals", () => {
  if (runc === undefined) {
    console.log("skip: runc is not installed");
    return;
  }
  const directory = running(["sleep", "1000"]);
  const id = room.newId();
  const seen = (["ts-runc", "runc"] as const).map((program) => {
    const call = (argv: readonly string[]) =>
      runtime(
        program,
        argv.map((word) => word.replace(/^ID$/, id)),
      );
    // The container keeps its caller's streams.
    const create = asUser([
      "sh",
      "-c",
      `"$0" create -b "${directory}" ${id} >/dev/null 2>&1 </dev/null`,
      programs[program],
    ]);
    assert.is(create.status, 0, program);
    const outcomes = life.map(([name, argv]) => ({ name, ...call(argv) }));
    const state = JSON.parse(
      readFileSync(join(runtimeDirectory, program, id, "state.json"), "utf8"),
    );
    const ended = call(["delete", "--force", id]);
    return {
      outcomes,
      rootless: state.rootless,
      cgroups: cgroupV2 ? undefined : state.cgroup_paths,
      ended: ended.status,
    };
  });
  const [ours, theirs] = seen;
  assert.is(ours?.rootless, theirs?.rootless);
  // runc also names groups of hierarchies without controllers, which it has not made.
  if (!cgroupV2) assert.equal(ours?.cgroups, {});
  assert.is(ours?.ended, theirs?.ended);
  for (const [index, [name]] of life.entries()) {
    const [our, their] = [ours?.outcomes[index], theirs?.outcomes[index]];
    assert.is(our?.status, their?.status, `${name}: ${our?.stderr} / ${their?.stderr}`);
    if (their?.status === 0) assert.is(our?.stdout, their?.stdout, name);
  }
  const refusals = ours?.outcomes.map(words) ?? [];
  const rights = (command: string): string =>
    `level=warning msg="runc ${command} may fail if you don't have the full access to cgroups"`;
  assert.match(refusals[1] ?? "", rights("ps"));
  assert.match(refusals[1] ?? "", "unable to get all container pids");
  assert.match(refusals[4] ?? "", "cannot set any additional groups in a rootless container");
  assert.match(refusals[6] ?? "", rights("pause"));
  assert.match(refusals[6] ?? "", "cgroups not configured for container");
  assert.match(refusals[7] ?? "", "container not paused");
  assert.match(refusals[8] ?? "", "container could not join or create cgroup");
});

const mounted =
  "cut -d' ' -f2,3 /proc/mounts; ls -ln /dev | sed 's/.*\\(..:..\\|20..\\) //'; cat /proc/self/cgroup /proc/self/setgroups; ls /sys/fs/cgroup";

test("what a container sees is what it sees with runc: mounts, devices, groups", () => {
  if (runc === undefined) {
    console.log("skip: runc is not installed");
    return;
  }
  const directory = running(["sh", "-c", mounted]);
  const [ours, theirs] = (["ts-runc", "runc"] as const).map((program) =>
    runtime(program, ["run", "-b", directory, room.newId()]),
  );
  assert.is(ours?.status, 0, ours?.stderr);
  const sorted = (text = "") => text.split("\n").sort();
  assert.equal(sorted(ours?.stdout), sorted(theirs?.stdout));
});

const refused: readonly {
  readonly name: string;
  readonly change: (spec: Spec) => Spec;
  readonly says: string | RegExp;
}[] = [
  {
    name: "a cgroupsPath that may not be made",
    change: (spec) => withLinux(spec, { cgroupsPath: "/ts-runc-test-rootless" }),
    says: "permission denied",
  },
  {
    name: "a limit without a group",
    change: (spec) => withLinux(spec, { resources: { pids: { limit: 10 } } }),
    says: cgroupV2
      ? "rootless needs no limits + no cgrouppath when no permission is granted for cgroups"
      : "cannot set pids limit: container could not join or create cgroup",
  },
  {
    name: "no user namespace",
    change: (spec) => {
      const { uidMappings: _, gidMappings: __, namespaces = [], ...linux } = spec.linux ?? {};
      return {
        ...spec,
        linux: { ...linux, namespaces: namespaces.filter(({ type }) => type !== "user") },
      };
    },
    says: "rootless container requires user namespaces",
  },
  {
    name: "an additional group",
    change: (spec) => ({
      ...spec,
      process: { cwd: "/", ...spec.process, user: { uid: 0, gid: 0, additionalGids: [0] } },
    }),
    says: "cannot set any additional groups in a rootless container",
  },
  {
    name: "the group of terminals, which is not mapped",
    change: (spec) => ({
      ...spec,
      mounts: (spec.mounts ?? []).map((mount) =>
        mount.type === "devpts"
          ? { ...mount, options: [...(mount.options ?? []), "gid=5"] }
          : mount,
      ),
    }),
    says: /cannot specify gid=/,
  },
  {
    name: "a score that may not be lowered",
    change: (spec) => ({ ...spec, process: { cwd: "/", ...spec.process, oomScoreAdj: -500 } }),
    says: /[Pp]ermission denied/,
  },
  {
    name: "ids that are nobody's to give, or nothing that gives them",
    change: (spec) =>
      withLinux(spec, {
        uidMappings: [
          { containerID: 0, hostID: uid, size: 1 },
          { containerID: 1, hostID: 900_000, size: 10 },
        ],
      }),
    says: /newuidmap/,
  },
];

for (const { name, change, says } of refused) {
  test(`refused as by runc, with nothing left: ${name}`, () => {
    const directory = bundle(change);
    const ours = runtime("ts-runc", ["run", "-b", directory, room.newId()]);
    assert.is(ours.status, 1, ours.stdout);
    assert.match(ours.stderr, says);
    if (runc === undefined) return;
    const theirs = runtime("runc", ["run", "-b", directory, room.newId()]);
    assert.is(theirs.status, 1, theirs.stdout);
    if (!name.startsWith("ids")) assert.match(theirs.stderr, says);
  });
}

test("a group to manage is refused where there is none to have it in, with nothing left", () => {
  const annotations = { "run.oci.delegate-cgroup": "mine" };
  const directory = bundle((spec) => ({ ...spec, annotations }));
  const { status, stderr } = runtime("ts-runc", ["run", "-b", directory, room.newId()]);
  assert.is(status, 1);
  const reason = cgroupV2
    ? "no permission is granted for cgroups"
    : "delegate-cgroup not supported";
  assert.match(stderr, `annotation run.oci.delegate-cgroup=mine: ${reason}`);
});

test("a rootfs that the user may not enter is refused, with nothing left", () => {
  const directory = bundle();
  chownSync(join(directory, "rootfs"), 0, 0);
  chmodSync(join(directory, "rootfs"), 0o700);
  const { status, stderr } = runtime("ts-runc", ["run", "-b", directory, room.newId()]);
  assert.is(status, 1);
  assert.match(stderr, /permission denied/);
});

test("a host that allows no more user namespaces is named as the reason, with nothing left", () => {
  const directory = running(["true"]);
  const script = `echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"`;
  const nested = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"];
  const id = room.newId();
  const { status, stderr } = asUser([
    ...nested,
    executable,
    "--root",
    join(home, "state"),
    "--rootless",
    "true",
    "run",
    "-b",
    directory,
    id,
  ]);
  assert.is(status, 1);
  assert.match(stderr, /making the user namespace: unshare: no space left on device/);
  assert.equal(readdirSync(join(home, "state")), []);
});

test("root of a user namespace of the user's makes containers without one of their own, as with runc", () => {
  const directory = running(["id"], (spec) => {
    const { uidMappings: _, gidMappings: __, namespaces = [], ...linux } = spec.linux ?? {};
    const others = namespaces.filter(({ type }) => type !== "user");
    return { ...spec, linux: { ...linux, namespaces: others } };
  });
  const nested = ["unshare", "--user", "--map-root-user", "--mount"];
  for (const program of runc === undefined
    ? (["ts-runc"] as const)
    : (["ts-runc", "runc"] as const)) {
    const ran = asUser([...nested, programs[program], "run", "-b", directory, room.newId()]);
    assert.is(ran.status, 0, `${program}: ${ran.stderr}`);
    assert.match(ran.stdout, /^uid=0/);
  }
});

test.run();
