// The options that `checkpoint` and `restore` share, as the container room wants them.

import { raise } from "../base/fault.ts";
import { ownMember } from "../base/own-member.ts";
import type { CriuChoices } from "../plan/checkpoint.ts";
import type { CriuCgroupMode } from "../plan/criu.ts";
import { absolutePath } from "./absolute-path.ts";
import { flag, type OptionValues, text, texts } from "./options.ts";

/** Without a value it is CRIU's own default, which is soft. */
const cgroupModes: Readonly<Record<string, CriuCgroupMode>> = {
  "": "DEFAULT",
  soft: "SOFT",
  full: "FULL",
  strict: "STRICT",
  ignore: "IGNORE",
};

/**
 * Reads the options, and where the images are.
 *
 * @throws `refused` fault in runc's words
 */
export function readCriuChoices(
  values: OptionValues,
): CriuChoices & { readonly imagePath: string; readonly workPath: string | undefined } {
  const mode = ownMember(cgroupModes, text(values, "manage-cgroups-mode") ?? "");
  if (mode === undefined) raise({ kind: "refused", message: "invalid manage-cgroups-mode value" });
  for (const type of texts(values, "empty-ns")) {
    // It is left empty in any case: what is in it is the caller's business.
    if (type === "network") continue;
    raise({ kind: "refused", message: `namespace ${JSON.stringify(type)} is not supported` });
  }
  const workPath = text(values, "work-path");
  return {
    imagePath: absolutePath(text(values, "image-path") ?? "checkpoint"),
    workPath: workPath === undefined ? undefined : absolutePath(workPath),
    tcpEstablished: flag(values, "tcp-established"),
    externalUnixSockets: flag(values, "ext-unix-sk"),
    shellJob: flag(values, "shell-job"),
    fileLocks: flag(values, "file-locks"),
    cgroupMode: mode,
    autoDedup: flag(values, "auto-dedup"),
    lazyPages: flag(values, "lazy-pages"),
  };
}
