// Configs from all over the property space, made from a seed: what both runtimes of a comparison are asked for; not what
// comes out of it.

import { type Random, seeded } from "./random.ts";

/** What a config may refer to besides its own bundle. */
export type Surroundings = {
  /** A directory with the files that `volumeFiles` lists. */
  readonly volume: string;
  /** The pid of a process with network, uts and ipc namespaces of its own. */
  readonly neighbour: number;
  readonly cgroupVersion: "v1" | "v2";
};

export type SpaceConfig = {
  /** Which one it is, for messages: the seed makes it again. */
  readonly name: string;
  readonly config: SpaceDocument;
  /** The owner that the rootfs needs, on the host. */
  readonly rootOwner: number;
  /** What the program exits with. */
  readonly status: number;
};

/** As much of a config.json as is changed once more. */
export type SpaceDocument = Readonly<Record<string, unknown>> & {
  readonly mounts: readonly SpaceMount[];
  readonly linux: Readonly<Record<string, unknown>> & {
    readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
  };
};

export type SpaceMount = {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
};

type UserNamespace = {
  readonly owner: number;
  readonly maps: readonly {
    readonly containerID: number;
    readonly hostID: number;
    readonly size: number;
  }[];
};

/** The user namespaces that are tried: whom the host sees as the container's root, and the maps. */
const userNamespaces: readonly [UserNamespace, ...UserNamespace[]] = [
  { owner: 0, maps: [{ containerID: 0, hostID: 0, size: 65536 }] },
  { owner: 100_000, maps: [{ containerID: 0, hostID: 100_000, size: 65536 }] },
  {
    owner: 100_000,
    maps: [
      { containerID: 0, hostID: 100_000, size: 1000 },
      { containerID: 1000, hostID: 1000, size: 1 },
      { containerID: 1001, hostID: 101_001, size: 64_000 },
    ],
  },
];

/** Makes config number `index` of the space. */
export function makeSpaceConfig(index: number, around: Surroundings): SpaceConfig {
  const random = seeded(20_261_126 + index);
  const maybe = (percent: number): boolean => random.below(100) < percent;
  const user = maybe(25) ? random.pick(userNamespaces) : undefined;
  const namespaces = makeNamespaces(random, around, user !== undefined);
  const has = (type: string): boolean => namespaces.some((namespace) => namespace.type === type);
  const status = random.pick([0, 0, 0, 1, 7, 255]);
  const linux = {
    namespaces,
    ...(user === undefined ? {} : { uidMappings: user.maps, gidMappings: user.maps }),
    ...(maybe(30)
      ? { rootfsPropagation: random.pick(["private", "slave", "shared", "rslave"]) }
      : {}),
    ...(maybe(40) ? { maskedPaths: some(random, maskedPaths) } : {}),
    ...(maybe(40) ? { readonlyPaths: some(random, readonlyPaths) } : {}),
    ...(maybe(35) ? { resources: makeResources(random, around) } : {}),
    // There device nodes are the host's, bound: one that the host lacks is an error.
    ...(maybe(25)
      ? { devices: some(random, devices).filter(({ type }) => user === undefined || type === "c") }
      : {}),
    ...(maybe(30) ? { sysctl: makeSysctls(random, namespaces) } : {}),
  };
  const config = {
    ociVersion: "1.0.2",
    root: { path: "rootfs", ...(maybe(30) ? { readonly: true } : {}) },
    ...(has("uts") && maybe(60) ? { hostname: random.pick(["box", "a.b", "with-dash"]) } : {}),
    mounts: makeMounts(random, around, { has, mapped: user !== undefined && user.owner !== 0 }),
    process: makeProcess(random, user !== undefined),
    linux,
    ...(maybe(20) ? { annotations: { "org.example.key": "value", "org.example.empty": "" } } : {}),
  };
  return { name: `config ${index}`, config, rootOwner: user?.owner ?? 0, status };
}

function makeNamespaces(
  random: Random,
  { neighbour }: Surroundings,
  user: boolean,
): readonly { readonly type: string; readonly path?: string }[] {
  const joinable = { network: "net", uts: "uts", ipc: "ipc" } as const;
  const made = (["network", "uts", "ipc"] as const).flatMap((type) => {
    const chance = random.below(100);
    // In a user namespace of its own a container needs the others too, to be allowed anything in them.
    if (user || chance < 70) return [{ type }];
    return chance < 85 ? [{ type, path: `/proc/${neighbour}/ns/${joinable[type]}` }] : [];
  });
  const rest = [
    ...(user || random.below(100) < 85 ? [{ type: "pid" }] : []),
    { type: "mount" },
    ...(random.below(100) < 40 ? [{ type: "cgroup" }] : []),
    ...(user ? [{ type: "user" }] : []),
  ];
  return shuffle(random, [...made, ...rest]);
}

const capabilityLists: readonly [readonly string[], ...(readonly string[])[]] = [
  ["CAP_KILL", "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE"],
  ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT"],
  ["CAP_NET_RAW"],
  [],
];

function makeProcess(random: Random, mapped: boolean): object {
  const maybe = (percent: number): boolean => random.below(100) < percent;
  const uid = random.pick([0, 0, 0, 1, 1000, 65_534]);
  const bounding = random.pick(capabilityLists);
  const within = (): readonly string[] => bounding.filter(() => maybe(60));
  const permitted = within();
  const inheritable = maybe(30) ? permitted.filter(() => maybe(50)) : [];
  return {
    cwd: random.pick(["/", "/", "/tmp", "/made/by/runtime", "/link-to-tmp"]),
    env: [
      "PATH=/bin",
      ...(maybe(40) ? ["HOME=/somewhere"] : []),
      ...(maybe(40) ? ["EMPTY=", "SPACES=a b  c", "TERM=dumb"] : []),
    ],
    ...(maybe(70) || uid !== 0
      ? {
          user: {
            uid,
            gid: random.pick([0, uid, 5]),
            ...(maybe(40) ? { additionalGids: some(random, [0, 5, 10, 1000, 65_534]) } : {}),
            ...(maybe(40) ? { umask: random.pick([0, 0o22, 0o77, 0o777]) } : {}),
          },
        }
      : {}),
    ...(maybe(70)
      ? {
          capabilities: {
            bounding,
            permitted,
            effective: permitted.filter(() => maybe(70)),
            ...(inheritable.length > 0
              ? { inheritable, ambient: inheritable.filter(() => maybe(60)) }
              : {}),
          },
        }
      : {}),
    ...(maybe(50) ? { noNewPrivileges: maybe(70) } : {}),
    ...(maybe(30) && !mapped ? { oomScoreAdj: random.pick([0, 100, 500, 1000]) } : {}),
    ...(maybe(40)
      ? {
          rlimits: [
            { type: "RLIMIT_NOFILE", soft: random.pick([64, 512]), hard: 512 },
            { type: "RLIMIT_CORE", soft: 0, hard: random.pick([0, 4096]) },
          ].filter(() => maybe(70)),
        }
      : {}),
  };
}

const proc: SpaceMount = { destination: "/proc", type: "proc", source: "proc" };

function makeMounts(
  random: Random,
  { volume, cgroupVersion }: Surroundings,
  { has, mapped }: { readonly has: (type: string) => boolean; readonly mapped: boolean },
): readonly SpaceMount[] {
  const maybe = (percent: number): boolean => random.below(100) < percent;
  const dev = maybe(80);
  // Times of access are locked for whoever is in a user namespace of his own.
  const changeable = [
    "nosuid",
    "noexec",
    "nodev",
    ...(has("user") ? [] : ["relatime", "nodiratime"]),
  ];
  const flags = (): readonly string[] => some(random, changeable);
  const system: readonly SpaceMount[] = [
    { ...proc, ...(maybe(30) ? { options: ["nosuid", "noexec", "nodev"] } : {}) },
    ...(dev
      ? [
          {
            destination: "/dev",
            type: "tmpfs",
            source: "tmpfs",
            options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
          },
          {
            destination: "/dev/pts",
            type: "devpts",
            source: "devpts",
            options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
          },
        ]
      : []),
    ...(dev && maybe(60)
      ? [
          {
            destination: "/dev/shm",
            type: "tmpfs",
            source: "shm",
            options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
          },
        ]
      : []),
    ...(dev && has("ipc") && maybe(50)
      ? [{ destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: flags() }]
      : []),
    ...(has("network") && maybe(60)
      ? [
          {
            destination: "/sys",
            type: "sysfs",
            source: "sysfs",
            options: ["nosuid", "noexec", "nodev", ...(maybe(70) ? ["ro"] : [])],
          },
          // On v2 runc shows the whole tree to a container without a cgroup namespace.
          ...(maybe(60) && (cgroupVersion === "v1" || has("cgroup"))
            ? [
                {
                  destination: "/sys/fs/cgroup",
                  type: "cgroup",
                  source: "cgroup",
                  options: ["nosuid", "noexec", "nodev", "relatime", ...(maybe(60) ? ["ro"] : [])],
                },
              ]
            : []),
        ]
      : []),
  ];
  // Where the container's root is nobody on the host, it makes no mount points in the host's directories.
  const targets = mapped
    ? ["/tmp", "/link-to-mnt", "/opt/here"]
    : ["/tmp", "/link-to-mnt", "/opt/here", "/made/for/mount", "/tmp/below"];
  const places = shuffle(random, targets).slice(0, 3);
  // One over the other, in either order: there runc 1.1.5 makes whatever the path of a read-only tmpfs leads to read-only in its
  // stead, or finds nothing at that path (docs/compatibility.md).
  const nested = places.includes("/tmp") && places.includes("/tmp/below");
  const files = shuffle(random, mapped ? ["/etc/file"] : ["/etc/link", "/made/file"]);
  const own = Array.from({ length: random.below(4) }, (_, at): SpaceMount => {
    const kind = random.below(3);
    const destination = places[at] ?? "/tmp";
    if (kind === 0) {
      const options = [
        ...flags(),
        ...some(random, ["size=64k", "ro", "sync", "dirsync", "noatime"]),
      ].filter((option) => !(nested && option === "ro"));
      return { destination, type: "tmpfs", source: "tmpfs", options };
    }
    const bind = random.pick(["bind", "rbind"]);
    const propagation = some(random, ["private", "rprivate", "rslave", "shared", "unbindable"]);
    const options = [bind, ...flags(), ...(maybe(40) ? ["ro"] : []), ...propagation.slice(0, 1)];
    if (kind === 1) return { destination, type: "bind", source: volume, options };
    const file = files[at];
    if (file === undefined) return { destination, type: "bind", source: volume, options };
    return { destination: file, type: "bind", source: `${volume}/file`, options };
  });
  return [...system, ...own];
}

const maskedPaths = [
  "/proc/kcore",
  "/proc/keys",
  "/proc/asound",
  "/proc/timer_list",
  "/etc",
  "/no",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/bin", "/not/there"];

const devices = [
  { path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 0o640, uid: 0, gid: 5 },
  { path: "/dev/sub/zero", type: "c", major: 1, minor: 5, fileMode: 0o666 },
  { path: "/dev/pipe", type: "p", fileMode: 0o600 },
  { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
] as const;

function makeResources(random: Random, { cgroupVersion }: Surroundings): object {
  const maybe = (percent: number): boolean => random.below(100) < percent;
  return {
    ...(maybe(60) ? { pids: { limit: random.pick([20, 100, -1]) } } : {}),
    ...(maybe(60)
      ? {
          memory: {
            limit: random.pick([64, 128]) * 1024 * 1024,
            ...(maybe(50) ? { reservation: 32 * 1024 * 1024 } : {}),
            ...(maybe(30) && cgroupVersion === "v1" ? { swappiness: 10 } : {}),
          },
        }
      : {}),
    ...(maybe(60)
      ? {
          cpu: {
            ...(maybe(60) ? { shares: random.pick([2, 512, 1024]) } : {}),
            ...(maybe(60) ? { quota: random.pick([50_000, 200_000]), period: 100_000 } : {}),
            ...(maybe(40) ? { cpus: "0" } : {}),
          },
        }
      : {}),
    ...(maybe(50)
      ? {
          devices: [
            { allow: false, access: "rwm" },
            ...(maybe(50)
              ? [{ allow: true, type: "c", major: 10, minor: 229, access: "rwm" }]
              : []),
          ],
        }
      : {}),
  };
}

function makeSysctls(
  random: Random,
  namespaces: readonly { readonly type: string; readonly path?: string }[],
): Readonly<Record<string, string>> {
  const own = (type: string): boolean =>
    namespaces.some((namespace) => namespace.type === type && namespace.path === undefined);
  return Object.fromEntries([
    ...(own("network")
      ? some(random, [
          ["net.ipv4.ip_forward", "1"],
          ["net.core.somaxconn", "512"],
          ["net/ipv4/ip_default_ttl", "61"],
        ] as const)
      : []),
    ...(own("ipc") ? some(random, [["kernel.msgmax", "16384"]] as const) : []),
    ...(own("ipc") ? some(random, [["fs.mqueue.msg_max", "20"]] as const) : []),
    ...(own("uts") && !own("user")
      ? some(random, [["kernel.domainname", "example.org"]] as const)
      : []),
  ]);
}

function some<T>(random: Random, items: readonly T[]): readonly T[] {
  return items.filter(() => random.below(100) < 50);
}

function shuffle<T>(random: Random, items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, key: random.below(1_000_000) }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item);
}
