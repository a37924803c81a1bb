// Security labels: what AppArmor and SELinux are to do with the program when it is executed; not what they then forbid.

import { openFlags, resolveFlags } from "../abi/file.ts";
import { type Step, step } from "../program/step.ts";
import type { Process } from "../spec/types.ts";
import { close, openat2, writeText } from "../syscall/files.ts";
import { slot } from "../syscall/value.ts";
import { procSlot } from "./system-names.ts";

/** Whether there is something to be written, for which a procfs of our own has to be opened early. */
export function isLabelled({ apparmorProfile = "", selinuxLabel = "" }: Process): boolean {
  return apparmorProfile !== "" || selinuxLabel !== "";
}

/**
 * Steps that say as what the program is to run from its execve on. They need the private procfs: one of the container's
 * could take the text elsewhere (CVE-2019-16884, CVE-2025-52881). Run by init, before it gives its rights away.
 *
 * Spec: config.md#linux-process (apparmorProfile, selinuxLabel). The words are runc's.
 *
 * @param context what runc says before its error for AppArmor: more in init than in a process of exec
 */
export function planLabels(process: Process, context = ""): Step[] {
  const { apparmorProfile = "", selinuxLabel = "" } = process;
  return [
    ...(apparmorProfile === ""
      ? []
      : changeProfile(`${context}apparmor failed to apply profile`, apparmorProfile)),
    ...(selinuxLabel === ""
      ? []
      : writeAttribute("unable to set process label", {
          name: "exec",
          text: selinuxLabel,
          here: "label",
        })),
  ];
}

/** Since Linux 5.8 AppArmor has files of its own, which it need not share with another security module. */
function changeProfile(doing: string, profile: string): Step[] {
  const text = `exec ${profile}`;
  return writeAttribute(doing, {
    name: "apparmor/exec",
    text,
    here: "profile",
    missing: writeAttribute(doing, { name: "exec", text, here: "profile.shared" }),
  });
}

/** Steps with which `steps` makes a keyring that has the label: SELinux would give it the runtime's. */
export function labelKeyring(label: string, steps: readonly Step[]): Step[] {
  const doing = "setting the label of the session keyring";
  const name = "keycreate";
  return [
    ...writeAttribute(doing, { name, text: label, here: "keyring.label" }),
    ...steps,
    ...writeAttribute(doing, { name, text: "", here: "keyring.unlabel" }),
  ];
}

/** Steps that write a file of /proc/self/attr; those in `missing` are run when there is none of this name. */
function writeAttribute(
  doing: string,
  attribute: {
    readonly name: string;
    readonly text: string;
    /** The slot of the file. */
    readonly here: string;
    readonly missing?: readonly Step[];
  },
): Step[] {
  const { name, text, here, missing } = attribute;
  // "self" is a link, though no magic one.
  const { RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV } = resolveFlags;
  const how = {
    flags: openFlags.O_WRONLY | openFlags.O_CLOEXEC,
    resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
  };
  const file = slot(here);
  const target = `/proc/self/attr/${name}`;
  return [
    step(doing, openat2(slot(procSlot), `self/attr/${name}`, how), {
      slot: here,
      ...(missing === undefined
        ? {}
        : { recovery: { errnos: ["ENOENT"], steps: missing, next: "skip" } }),
      onSuccess: [step(doing, writeText(file, text), { target }), step(doing, close(file))],
    }),
  ];
}
