// Tests of versions, process, user, names, annotations and of what is refused (config.md).

import { join } from "node:path";
import { type Config, devPts, inUserNamespace, ownDev, proc } from "./config.ts";
import { expectMatch, expectSame, needs } from "./expect.ts";
import { valueAt } from "./json.ts";
import { type Room, readText, type Test, type Tests } from "./room.ts";
import { probeTerminal } from "./terminal.ts";

/** Create has to refuse the config. */
function refuses(change: Config): Test {
  return (room) => void room.refuses(change);
}

/** Create or start has to refuse it. */
function refusesToRun(change: Config): Test {
  return (room) => void room.refusesToRun(change);
}

/** A script in a container with this process has to print this. */
function prints(script: string, process: object, output: string): Test {
  return (room) => expectSame("output", room.probe(script, { process: { ...process } }), output);
}

const versionTests: Tests = {
  "version-format": refuses({ ociVersion: "one.two" }),
  "version-older": (room) => {
    expectSame("output", room.probe("echo here", { ociVersion: "1.0.0" }), "here");
  },
  "version-major": refuses({ ociVersion: "9.0.0" }),
  "unknown-ignored": (room) => {
    const process = { comUnknown: true, user: { uid: 0, gid: 0, comUnknown: 1 } };
    expectSame("output", room.probe("echo here", { comUnknown: {}, process }), "here");
  },
  "unknown-no-error": (room) => {
    const change = { comUnknown: { deep: [1] }, linux: { comUnknown: [] } };
    expectSame("status", room.create(change).status(), "created");
  },
  "invalid-value": refuses({ linux: { rootfsPropagation: "sideways" } }),
  "invalid-type": refuses({ process: { args: "true" } }),
  "annotation-map": refuses({ annotations: ["com.example.key"] }),
  "annotation-key-empty": refuses({ annotations: { "": "value" } }),
  "annotation-unknown": (room) => {
    // In the order of their names, in which some print them.
    const annotations = { "com.example.unknown": "2", "org.opencontainers.unknown": "1" };
    const found = valueAt(room.create({ annotations }).state(), "annotations");
    expectSame("annotations", found, annotations);
  },
  "annotation-value-string": refuses({ annotations: { "com.example.key": 1 } }),
  "annotation-value-empty": (room) => {
    const state = room.create({ annotations: { "com.example.key": "" } }).state();
    expectSame("annotation", valueAt(state, "annotations", "com.example.key"), "");
  },
};

const withTerminal: Config = { mounts: [proc, ownDev, devPts] };
const streams = "for n in 0 1 2; do [ -t $n ] && echo terminal || echo other; done";

const basicTests: Tests = {
  "process-required": refusesToRun({ process: undefined }),
  terminal: (room) => {
    expectMatch(
      "streams",
      probeTerminal(room, streams, withTerminal),
      /terminal\nterminal\nterminal$/,
    );
  },
  "terminal-not": prints(streams, {}, "other\nother\nother"),
  "console-size": (room) => {
    const process = { consoleSize: { height: 11, width: 97 } };
    const size = probeTerminal(room, "stty size", { ...withTerminal, process });
    expectMatch("size", size, /^11 97$/m);
  },
  "console-size-ignored": prints("echo here", { consoleSize: { height: 11, width: 97 } }, "here"),
  cwd: prints("pwd", { cwd: "/tmp" }, "/tmp"),
  "cwd-absolute": refuses({ process: { cwd: "tmp" } }),
  env: (room) => {
    const env = ["PATH=/bin", "HOME=/here", "ONE=1", "TWO=two  words", "NONE="];
    const output = room.probe("env", { process: { env } }).split("\n").sort();
    const found = output.filter((line) => !/^(PWD|SHLVL|OLDPWD|_)=/.test(line));
    expectSame("environment", found, [...env].sort());
  },
  args: (room) => {
    const container = room.create({
      process: { args: ["sh", "-c", 'echo "$0|$1|$2"', "a", "b c", ""] },
    });
    container.start();
    container.wait();
    expectSame("output", container.output(), "a|b c|\n");
  },
  "args-path": (room) => {
    const env = ["PATH=/no:/tmp:/bin"];
    const bundle = room.bundle({ process: { env, args: ["mine"] } });
    Bun.spawnSync(["cp", join(bundle.rootfs, "bin/echo"), join(bundle.rootfs, "tmp/mine")]);
    Bun.spawnSync(
      [
        "sh",
        "-c",
        "rm -f tmp/mine; printf '#!/bin/sh\\necho mine\\n' >tmp/mine; chmod 755 tmp/mine",
      ],
      {
        cwd: bundle.rootfs,
      },
    );
    const container = room.createFrom(bundle);
    container.start();
    container.wait();
    expectSame("output", container.output(), "mine\n");
  },
  "args-absent": refusesToRun({ process: { args: ["no-such-program"] } }),
};

const limitNames =
  "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK";

/** A line of /proc/PID/limits: soft and hard. */
function limitOf(text: string, name: string): readonly string[] {
  const line = text.split("\n").find((each) => each.startsWith(name)) ?? "";
  return line.slice(26).trim().split(/\s+/).slice(0, 2);
}

function limitsWith(room: Room, type: string, soft: number, hard: number): string {
  const process = { rlimits: [{ type, soft, hard }] };
  return room.probe("cat /proc/self/limits", { process });
}

const limitTests: Tests = {
  "rlimit-type": refuses({ process: { rlimits: [{ type: "RLIMIT_NO", soft: 1, hard: 1 }] } }),
  "rlimit-get": (room) => {
    const high = 1_000_000_000;
    // What a process without CAP_SYS_RESOURCE may have at most.
    const own = readText("/proc/self/limits");
    const labels: Readonly<Record<string, string>> = {
      NICE: "Max nice priority",
      RTPRIO: "Max realtime priority",
      MSGQUEUE: "Max msgqueue size",
      MEMLOCK: "Max locked memory",
      NOFILE: "Max open files",
      NPROC: "Max processes",
      SIGPENDING: "Max pending signals",
    };
    const rlimits = limitNames.split(" ").map((name) => {
      const label = labels[name];
      const hard = label === undefined ? Number.NaN : Number(limitOf(own, label)[1]);
      const value = Number.isNaN(hard) ? high : Math.min(high, hard);
      return { type: `RLIMIT_${name}`, soft: value, hard: value };
    });
    expectSame("output", room.probe("echo here", { process: { rlimits } }), "here");
  },
  "rlimit-soft": (room) => {
    const limits = limitsWith(room, "RLIMIT_NOFILE", 123, 456);
    expectSame("soft", limitOf(limits, "Max open files")[0], "123");
  },
  "rlimit-hard": (room) => {
    const limits = limitsWith(room, "RLIMIT_NOFILE", 123, 456);
    expectSame("hard", limitOf(limits, "Max open files")[1], "456");
  },
  "rlimit-twice": refuses({
    process: {
      rlimits: [
        // The other order is beyond root without CAP_SYS_RESOURCE.
        { type: "RLIMIT_NOFILE", soft: 200, hard: 200 },
        { type: "RLIMIT_NOFILE", soft: 100, hard: 100 },
      ],
    },
  }),
};

const sets = {
  effective: "CapEff",
  bounding: "CapBnd",
  inheritable: "CapInh",
  permitted: "CapPrm",
  ambient: "CapAmb",
};
// CHOWN is 0, KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10, AUDIT_WRITE 29.
const asked = {
  bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_NET_BIND_SERVICE"],
  permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
  effective: ["CAP_CHOWN", "CAP_KILL"],
  inheritable: ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
  ambient: ["CAP_NET_BIND_SERVICE"],
};
const masks: Readonly<Record<string, number>> = {
  bounding: 0x4e1,
  inheritable: 0x420,
  ambient: 0x400,
  // Of a user that is not root, execve(2) leaves what is ambient.
  permitted: 0x400,
  effective: 0x400,
};

const capabilityTests = Object.entries(sets).map(([set, field]): readonly [string, Test] => [
  `capability-${set}`,
  (room) => {
    const process = { capabilities: asked, user: { uid: 1000, gid: 1000 } };
    const status = room.probe("cat /proc/self/status", { process });
    const found = Number.parseInt(
      new RegExp(`^${field}:\\s+(\\w+)`, "m").exec(status)?.[1] ?? "",
      16,
    );
    expectSame(field, found.toString(16), masks[set]?.toString(16));
  },
]);

const statusLine = (name: string) => `sed -n 's/^${name}:[\\t ]*//p' /proc/self/status`;
const unknownCapability = { bounding: ["CAP_NOBODY_KNOWS"], effective: ["CAP_NOBODY_KNOWS"] };

/** Field 41 of /proc/PID/stat is the policy, 19 is nice, 40 the priority. */
const schedule = "sed 's/.*) //' /proc/self/stat | cut -d' ' -f39,17";

const linuxProcessTests: Tests = {
  ...Object.fromEntries(capabilityTests),
  apparmor: (room) => {
    const on = readText("/sys/module/apparmor/parameters/enabled").startsWith("Y");
    needs(!on, "AppArmor is on, and a profile would have to be loaded");
    room.refusesToRun({ process: { apparmorProfile: "no-such-profile" } });
  },
  selinux: (room) => {
    needs(readText("/sys/fs/selinux/enforce") === "", "SELinux is on, and its policy unknown");
    room.refusesToRun({ process: { selinuxLabel: "system_u:system_r:container_t:s0" } });
  },
  "capability-unknown": (room) => {
    const { status, stdout, stderr } = room.tryCreate(
      room.bundle({ process: { capabilities: unknownCapability } }),
    );
    expectSame("exit status", status, 0);
    expectMatch("log", `${stdout}${stderr}`, /CAP_NOBODY_KNOWS|cap_nobody_knows/);
  },
  "capability-go-on": prints("echo here", { capabilities: unknownCapability }, "here"),
  "no-new-privileges": (room) => {
    const found = [true, false].map((noNewPrivileges) =>
      room.probe(statusLine("NoNewPrivs"), { process: { noNewPrivileges } }),
    );
    expectSame("NoNewPrivs", found, ["1", "0"]);
  },
  "oom-score": prints("cat /proc/self/oom_score_adj", { oomScoreAdj: 321 }, "321"),
  "oom-score-untouched": (room) => {
    const own = readText("/proc/self/oom_score_adj").trim();
    expectSame("oom_score_adj", room.probe("cat /proc/self/oom_score_adj"), own);
  },
  // 3 is SCHED_BATCH.
  scheduler: (room) => {
    const process = { scheduler: { policy: "SCHED_BATCH" } };
    expectMatch("nice and policy", room.probe(schedule, { process }), / 3$/);
  },
  "scheduler-nice": prints(schedule, { scheduler: { policy: "SCHED_BATCH", nice: 7 } }, "7 3"),
  "scheduler-nice-default": prints(schedule, { scheduler: { policy: "SCHED_BATCH" } }, "0 3"),
  "scheduler-priority-default": refusesToRun({ process: { scheduler: { policy: "SCHED_FIFO" } } }),
  "io-priority": (room) => {
    needs(Bun.which("ionice") !== null, "there is no ionice to look with");
    const ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 };
    const pid = room.live({ process: { ioPriority } }).pid();
    const seen = Bun.spawnSync(["ionice", "-p", String(pid)])
      .stdout.toString()
      .trim();
    expectSame("priority", seen, "best-effort: prio 6");
  },
};

const userTests: Tests = {
  "user-uid": prints("id -u", { user: { uid: 1234, gid: 5678 } }, "1234"),
  "user-gid": prints("id -g", { user: { uid: 1234, gid: 5678 } }, "5678"),
  "user-umask": prints("umask", { user: { uid: 0, gid: 0, umask: 0o137 } }, "0137"),
  "user-umask-untouched": (room) => {
    const own = `0${process.umask().toString(8).padStart(3, "0")}`;
    expectSame("umask", room.probe("umask"), own);
  },
  "user-groups": (room) => {
    const user = { uid: 1000, gid: 1000, additionalGids: [10, 20] };
    expectSame("Groups", room.probe(statusLine("Groups"), { process: { user } }).trim(), "10 20");
  },
  "user-mapped": (room) => {
    const change = { ...inUserNamespace, process: { user: { uid: 5, gid: 6 } } };
    const status = readText(`/proc/${room.live(change).pid()}/status`);
    expectMatch("status", status, /^Uid:\t1005\t/m);
    expectMatch("status", status, /^Gid:\t2006\t/m);
  },
  hostname: (room) => expectSame("name", room.probe("hostname", { hostname: "mine" }), "mine"),
  domainname: (room) => {
    const found = room.probe("cat /proc/sys/kernel/domainname", { domainname: "example.test" });
    expectSame("name", found, "example.test");
  },
};

export const processTests: Tests = {
  ...versionTests,
  ...basicTests,
  ...limitTests,
  ...linuxProcessTests,
  ...userTests,
  "namespace-uts": (room) => {
    const host = readText("/proc/sys/kernel/hostname");
    const change = { hostname: "mine" };
    expectSame("name", room.probe("hostname", change), "mine");
    expectSame("the host's name", readText("/proc/sys/kernel/hostname"), host);
  },
};
