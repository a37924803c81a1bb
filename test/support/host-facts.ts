// Facts of a host that does not exist, for plans that are only looked at.

import type { HostFacts } from "../../src/plan/host-facts.ts";
import { noIdmaps } from "../../src/plan/idmaps.ts";

/** A host with cgroup v2, on which the runtime is process 1000. */
export const someFacts: HostFacts = {
  bundle: "/bundle",
  root: { path: "/bundle/rootfs", device: "0:30", inode: 4711n, parentMount: "/" },
  cgroupPlaces: { v1: [], v2: "/sys/fs/cgroup/container" },
  delegatesCgroup: false,
  cgroup: { version: "v2", ownNamespace: true, shown: "/sys/fs/cgroup/container" },
  runtimePid: 1000,
  preserveFds: 0,
  notifies: false,
  filter: undefined,
  nullStreams: [0],
  callerOpenFiles: { soft: 1024n, hard: 4096n },
  hostHasKcore: true,
  lastCapability: 40,
  inUserNamespace: false,
  ordinaryUser: false,
  selinux: false,
  noPivot: false,
  wholeMounts: [],
  keyring: "_ses.container",
  exitAddress: 0x40_0100,
  directory: "/run/ts-runc/container",
  idmaps: noIdmaps,
  links: new Map(),
};

const controllers = ["cpu,cpuacct", "memory", "pids", "devices", "freezer"];

/** The same host with cgroup v1. */
export const someFactsV1: HostFacts = {
  ...someFacts,
  cgroupPlaces: {
    v1: controllers.map((name) => `/sys/fs/cgroup/${name}/container`),
    v2: undefined,
  },
  cgroup: {
    version: "v1",
    ownNamespace: true,
    hierarchies: controllers.map((name) => ({
      directory: name,
      option: name,
      group: `/sys/fs/cgroup/${name}/container`,
      links: name.includes(",") ? name.split(",") : [],
    })),
  },
};
