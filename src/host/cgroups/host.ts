// Reads which cgroup hierarchies the host has; on the path of every create, so each file is read once.

import { AT_FDCWD, fileSystemMagic, openFlags } from "../../abi/file.ts";
import { readField, statfsBuffer } from "../../abi/struct.ts";
import { execute, executeForOutput } from "../../ffi/execute.ts";
import {
  type CgroupHost,
  cgroupRoot,
  parseCgroup1Host,
  parseCgroup2Host,
} from "../../plan/cgroup-host.ts";
import { fstatfs, openat } from "../../syscall/files.ts";
import { own, readText } from "../files.ts";
import { readCgroupFile } from "./cgroup-file.ts";

/**
 * Reads the host's cgroup hierarchies and our place in them.
 * A v2 host is told by the type of /sys/fs/cgroup alone: its mount table, which may be long, is not read.
 *
 * @throws `syscall` fault when /proc cannot be read
 */
export function readCgroupHost(): CgroupHost {
  const doing = "finding the cgroup hierarchies";
  const selfCgroup = readText("/proc/self/cgroup", doing);
  return isCgroup2(cgroupRoot)
    ? parseCgroup2Host(selfCgroup, readCgroupFile(`${cgroupRoot}/cgroup.controllers`) ?? "")
    : parseCgroup1Host(readText("/proc/self/mountinfo", doing), selfCgroup);
}

function isCgroup2(path: string): boolean {
  const fd = execute(openat(AT_FDCWD, path, { flags: openFlags.O_PATH | openFlags.O_CLOEXEC }));
  if (fd < 0) return false;
  using directory = own(fd);
  const { result, output } = executeForOutput(fstatfs(directory.fd));
  const magic = fileSystemMagic.CGROUP2_SUPER_MAGIC;
  return result === 0 && readField(statfsBuffer, output, "f_type") === magic;
}
