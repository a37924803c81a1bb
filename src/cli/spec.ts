// ts-runc spec: writes the config.json that a new bundle starts with.

import { errnos } from "../abi/errno.ts";
import { AT_FDCWD, openFlags } from "../abi/file.ts";
import { raise } from "../base/fault.ts";
import { execute, raiseErrno } from "../ffi/execute.ts";
import { readCgroupHost } from "../host/cgroups/host.ts";
import { own, writeAll } from "../host/files.ts";
import { defaultSpec, printSpec } from "../spec/default-spec.ts";
import { openat } from "../syscall/files.ts";
import { getegid, geteuid } from "../syscall/processes.ts";
import type { Invocation } from "./invocation.ts";
import { flag, text } from "./options.ts";

const fileName = "config.json";

/** Writes the file; one that exists, even as a dangling link, is left alone. */
export function spec({ values }: Invocation): number {
  const bundle = text(values, "bundle");
  const path = bundle === undefined ? fileName : `${bundle}/${fileName}`;
  const rootless = flag(values, "rootless")
    ? { uid: execute(geteuid()), gid: execute(getegid()) }
    : undefined;
  const document = printSpec(
    defaultSpec({ rootless, cgroupV2: readCgroupHost().version === "v2" }),
  );
  const { O_WRONLY, O_CREAT, O_EXCL, O_CLOEXEC } = openFlags;
  const call = openat(AT_FDCWD, path, {
    flags: O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
    mode: 0o666,
  });
  const fd = execute(call);
  if (fd === -errnos.EEXIST) {
    raise({ kind: "refused", message: `File ${fileName} exists. Remove it first` });
  }
  if (fd < 0) raiseErrno(call, `writing ${fileName}`, fd);
  using file = own(fd);
  writeAll(file.fd, document, `writing ${fileName}`);
  return 0;
}
