// The options that `create` and `run` share, as the container room wants them; what the config says about them is not
// known here.

import { raise } from "../base/fault.ts";
import type { CreateOptions } from "../container/prepare.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { absolutePath } from "./absolute-path.ts";
import type { Invocation } from "./invocation.ts";
import { flag, integer, type OptionValues, text } from "./options.ts";

/** More than the kernel's default for fs.nr_open: a loop over them has an end. */
const preserveFdsMax = 1024 * 1024;

/**
 * Reads the options.
 *
 * @throws FaultError where one of them cannot be meant
 */
export function readCreationOptions(invocation: Invocation): CreateOptions {
  const { globals, values, positionals, log } = invocation;
  const [id = ""] = positionals;
  const bundle = absolutePath(text(values, "bundle") ?? ".");
  const pidFile = text(values, "pid-file");
  const consoleSocket = text(values, "console-socket");
  const pidfdSocket = text(values, "pidfd-socket");
  return {
    root: globals.root,
    id: parseContainerId(id),
    bundle,
    ...(pidFile === undefined ? {} : { pidFile: absolutePath(pidFile) }),
    // runc has changed its directory to the bundle by the time it connects.
    ...(consoleSocket === undefined ? {} : { consoleSocket: inBundle(bundle, consoleSocket) }),
    ...(pidfdSocket === undefined ? {} : { pidfdSocket: inBundle(bundle, pidfdSocket) }),
    noPivot: flag(values, "no-pivot"),
    noNewKeyring: flag(values, "no-new-keyring"),
    preserveFds: readPreserveFds(values),
    cgroupManager: globals.cgroupManager,
    rootless: globals.rootless,
    warn: log.warning,
  };
}

/**
 * Reads the number of descriptors to be preserved.
 *
 * @throws `refused` fault when it cannot be meant
 */
export function readPreserveFds(values: OptionValues): number {
  const preserveFds = integer(values, "preserve-fds");
  if (preserveFds >= 0 && preserveFds <= preserveFdsMax) return preserveFds;
  return raise({ kind: "refused", message: `--preserve-fds ${preserveFds} is out of range` });
}

function inBundle(bundle: string, path: string): string {
  return absolutePath(path.startsWith("/") ? path : `${bundle}/${path}`);
}
