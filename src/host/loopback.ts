// Brings up the loopback device of a network namespace that others have made: CRIU leaves a new one as empty as it was born.

import { AT_FDCWD, openFlags } from "../abi/file.ts";
import { cloneFlags } from "../abi/process.ts";
import { interfaceFlags, socketFamilies, socketTypes } from "../abi/socket.ts";
import { execute, must } from "../ffi/execute.ts";
import { openat } from "../syscall/files.ts";
import { setns } from "../syscall/processes.ts";
import { setInterfaceFlags, socket } from "../syscall/sockets.ts";
import { type OwnedFd, own } from "./files.ts";

const doing = "bringing up the loopback device";

/**
 * Brings up `lo` in the network namespace of a process. Run by the runtime, which for the time of one call is in that
 * namespace itself: the socket stays there.
 *
 * @throws `syscall` fault
 */
export function bringLoopbackUp(pid: number): void {
  const { SOCK_CLOEXEC, SOCK_DGRAM } = socketTypes;
  using ours = openNamespace("/proc/self/ns/net");
  using theirs = openNamespace(`/proc/${pid}/ns/net`);
  must(setns(theirs.fd, cloneFlags.CLONE_NEWNET), doing);
  const call = socket(socketFamilies.AF_INET, SOCK_DGRAM | SOCK_CLOEXEC);
  const fd = execute(call);
  must(setns(ours.fd, cloneFlags.CLONE_NEWNET), doing);
  using device = own(fd < 0 ? must(call, doing) : fd);
  const { IFF_RUNNING, IFF_UP } = interfaceFlags;
  must(setInterfaceFlags(device.fd, "lo", IFF_UP | IFF_RUNNING), doing);
}

function openNamespace(path: string): OwnedFd {
  return own(must(openat(AT_FDCWD, path, { flags: openFlags.O_CLOEXEC }), doing));
}
