// Whether SELinux is in force on this host; not what its policy says.

import { AT_FDCWD, fileSystemMagic, openFlags } from "../abi/file.ts";
import { readField, statfsBuffer } from "../abi/struct.ts";
import { raise } from "../base/fault.ts";
import { execute, executeForOutput } from "../ffi/execute.ts";
import { fstatfs, openat } from "../syscall/files.ts";
import { own, readTextIfPresent } from "./files.ts";

/** Whether there is SELinux with a policy: its file system is mounted, and processes have labels. */
export function isSelinuxEnabled(): boolean {
  const { O_CLOEXEC, O_DIRECTORY, O_PATH } = openFlags;
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  const fd = execute(openat(AT_FDCWD, "/sys/fs/selinux", { flags }));
  if (fd < 0) return false;
  using directory = own(fd);
  const { result, output } = executeForOutput(fstatfs(directory.fd));
  if (result < 0 || readField(statfsBuffer, output, "f_type") !== fileSystemMagic.SELINUX_MAGIC) {
    return false;
  }
  const label = readTextIfPresent("/proc/self/attr/current", "looking at the own label") ?? "";
  // Until a policy has been loaded every process is called this.
  return label.replace(/\0.*$/s, "") !== "kernel";
}

/**
 * Refuses a label that would have no effect, in runc's words.
 *
 * @throws `refused` fault
 */
export function requireSelinux(label: string | undefined): void {
  if ((label ?? "") === "" || isSelinuxEnabled()) return;
  const message = "selinux label is specified in config, but selinux is disabled or not supported";
  raise({ kind: "refused", message });
}
