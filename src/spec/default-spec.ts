// The config.json that `ts-runc spec` writes, the same as runc's; not its writing.

import type { Linux, Mount, Spec } from "./types.ts";

/** The version of the runtime specification that this runtime is written for. */
export const ociVersion = "1.3.0";

export type DefaultSpecOptions = {
  /** Ids of the caller, who becomes the container's root; undefined for a container made by root. */
  readonly rootless: { readonly uid: number; readonly gid: number } | undefined;
  readonly cgroupV2: boolean;
};

const capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

const mounts: readonly Mount[] = [
  { destination: "/proc", type: "proc", source: "proc" },
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
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
  },
  {
    destination: "/dev/mqueue",
    type: "mqueue",
    source: "mqueue",
    options: ["nosuid", "noexec", "nodev"],
  },
  {
    destination: "/sys",
    type: "sysfs",
    source: "sysfs",
    options: ["nosuid", "noexec", "nodev", "ro"],
  },
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
  },
];

/** The config that a new bundle starts with. */
export function defaultSpec(options: DefaultSpecOptions): Spec {
  return {
    ociVersion,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "runc",
    mounts: options.rootless === undefined ? mounts : mounts.map(asRootless),
    linux: defaultLinux(options),
  };
}

/** The text of a config.json: indented by tabs, without a newline at the end, as runc writes it. */
export function printSpec(spec: Spec): string {
  return JSON.stringify(spec, undefined, "\t");
}

function defaultLinux({ rootless, cgroupV2 }: DefaultSpecOptions): Linux {
  const cgroup = cgroupV2 ? [{ type: "cgroup" } as const] : [];
  const restrictions: Linux = {
    maskedPaths: [
      "/proc/acpi",
      "/proc/asound",
      "/proc/kcore",
      "/proc/keys",
      "/proc/latency_stats",
      "/proc/timer_list",
      "/proc/timer_stats",
      "/proc/sched_debug",
      "/sys/firmware",
      "/proc/scsi",
    ],
    readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
  };
  if (rootless === undefined) {
    return {
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces: [
        { type: "pid" },
        { type: "network" },
        { type: "ipc" },
        { type: "uts" },
        { type: "mount" },
        ...cgroup,
      ],
      ...restrictions,
    };
  }
  return {
    uidMappings: [{ containerID: 0, hostID: rootless.uid, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: rootless.gid, size: 1 }],
    namespaces: [
      { type: "pid" },
      { type: "ipc" },
      { type: "uts" },
      { type: "mount" },
      ...cgroup,
      { type: "user" },
    ],
    ...restrictions,
  };
}

/** What one's own user namespace cannot mount: sysfs without a network namespace, owners without an id. */
function asRootless(mount: Mount): Mount {
  if (mount.destination === "/sys") {
    const options = ["rbind", ...(mount.options ?? [])];
    return { destination: "/sys", type: "none", source: "/sys", options };
  }
  if (mount.options === undefined) return mount;
  return { ...mount, options: mount.options.filter((option) => !/^[ug]id=/.test(option)) };
}
