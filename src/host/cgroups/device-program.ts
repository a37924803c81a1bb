// Loads a device program into the kernel and attaches it to a v2 cgroup in place of the one that is there.

import { BPF_CGROUP_DEVICE, bpfQueryAttribute } from "../../abi/bpf.ts";
import { errnoName, errnos } from "../../abi/errno.ts";
import { openFlags } from "../../abi/file.ts";
import { raise } from "../../base/fault.ts";
import { execute, must, raiseErrno } from "../../ffi/execute.ts";
import { pinBuffer } from "../../ffi/pinned-buffer.ts";
import { type BpfInstruction, encodeBpf } from "../../plan/device-filter.ts";
import {
  bpfAttachDeviceProgram,
  bpfDetachDeviceProgram,
  bpfLoadDeviceProgram,
  bpfProgramFd,
  bpfQueryPrograms,
} from "../../syscall/bpf.ts";
import { type OwnedFd, openFile, own } from "../files.ts";

const doing = "attaching the container's device filter";

/**
 * Puts the program in force for the processes of the cgroup; it stays with the group when the runtime ends. A program without
 * instructions allows everything: then there is none.
 *
 * The new one is there before the old ones go: at no time is a device open that neither allows.
 *
 * @throws `host` with the verifier's log when the kernel refuses the program; `syscall`
 */
export function attachDeviceProgram(directory: string, program: readonly BpfInstruction[]): void {
  using cgroup = openFile(directory, { flags: openFlags.O_DIRECTORY, doing });
  if (program.length === 0) {
    detachPrograms(cgroup.fd);
    return;
  }
  using loaded = loadProgram(encodeBpf(program));
  const olds = queryPrograms(cgroup.fd).map((id) => own(must(bpfProgramFd(id), doing)));
  try {
    const [only] = olds;
    if (only !== undefined && olds.length === 1) {
      const replace = bpfAttachDeviceProgram(cgroup.fd, loaded.fd, only.fd);
      must(replace, doing);
      return;
    }
    must(bpfAttachDeviceProgram(cgroup.fd, loaded.fd), doing);
    for (const old of olds) must(bpfDetachDeviceProgram(cgroup.fd, old.fd), doing);
  } finally {
    for (const old of olds) old[Symbol.dispose]();
  }
}

/** What an earlier container of the group has left. A kernel that cannot attach any has nothing to be taken away. */
function detachPrograms(cgroup: number): void {
  for (const id of queryPrograms(cgroup, [errnos.EINVAL, errnos.ENOSYS])) {
    using old = own(must(bpfProgramFd(id), doing));
    must(bpfDetachDeviceProgram(cgroup, old.fd), doing);
  }
}

const logBytes = 64 * 1024;

/** The log costs time and is only asked for when there is something to say. */
function loadProgram(instructions: Uint8Array): OwnedFd {
  const call = bpfLoadDeviceProgram(instructions);
  const fd = execute(call);
  if (fd >= 0) return own(fd);
  if (fd === -errnos.EPERM) raiseErrno(call, doing, fd);
  const log = pinBuffer(logBytes);
  const again = execute(
    bpfLoadDeviceProgram(instructions, { address: log.address, sizeBytes: logBytes }),
  );
  if (again >= 0) return own(again);
  const words = new TextDecoder().decode(log.bytes.subarray(0, log.bytes.indexOf(0))).trim();
  return raise({
    kind: "host",
    message: `${doing}: bpf(BPF_PROG_LOAD): ${errnoName(-again)}: ${words}`,
  });
}

/** More programs than that on one group are no one's habit; runc's limit is 64, too. */
const queryMax = 64;

function queryPrograms(cgroup: number, tolerated: readonly number[] = []): number[] {
  const ids = pinBuffer(queryMax * 4);
  const attribute = pinBuffer(bpfQueryAttribute.sizeBytes);
  const view = new DataView(attribute.bytes.buffer);
  view.setUint32(0, cgroup, true);
  view.setUint32(4, BPF_CGROUP_DEVICE, true);
  view.setBigUint64(16, BigInt(ids.address), true);
  view.setUint32(24, queryMax, true);
  const call = bpfQueryPrograms(attribute.address);
  const result = execute(call);
  if (tolerated.includes(-result)) return [];
  if (result < 0) raiseErrno(call, doing, result);
  const count = view.getUint32(24, true);
  return [...new Uint32Array(ids.bytes.buffer, 0, count)];
}
