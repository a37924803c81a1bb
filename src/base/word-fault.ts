// The one place that turns a fault into the sentence a person or a caller of runc reads.

import { unreachable } from "./assert.ts";
import { errnoText } from "./errno-text.ts";
import type { Fault, FaultError, Violation } from "./fault.ts";

/** Words an error with everything that was going on around it: `unable to X: error during Y: the fault`. */
export function wordFaultError(error: FaultError): string {
  return [...error.during, wordFault(error.fault)].join(": ");
}

/** Words a fault. Texts that callers match are runc's (runtime-facts 1.9), lower case, without a period. */
export function wordFault(fault: Fault): string {
  switch (fault.kind) {
    case "syscall": {
      const target = fault.target === undefined ? "" : ` ${fault.target}`;
      const said = `${fault.call}${target}: ${errnoText(fault.errno)}`;
      // runc's words of a program that is there and cannot be executed, and of a mount point that is a link.
      if (fault.call === "execve") return said.replace(/^execve "(.*)": /, "exec $1: ");
      if (fault.errno === "ELOOP" && fault.doing.startsWith("error mounting ")) {
        return `${fault.doing}: it must be mounted on ordinary directory: ${said}`;
      }
      return `${fault.doing}: ${said}`;
    }
    case "json":
      return `${fault.document}: ${fault.message}`;
    case "invalid":
      return `${fault.document} is not valid: ${fault.violations.map(wordViolation).join("; ")}`;
    case "unsupported":
      return `${fault.what} (${fault.pointer}) is not supported by this version of ts-runc`;
    case "program":
      return `exec: ${JSON.stringify(fault.program)}: ${fault.reason}`;
    case "init-died":
      return `${fault.doing}: ${fault.how}`;
    case "usage":
    case "host":
    case "status":
    case "id":
    case "refused":
      return fault.message;
    default:
      return unreachable(fault);
  }
}

/** Words one broken rule, or an oddity: place, rule and section. */
export function wordViolation(violation: Violation): string {
  const section = violation.section === undefined ? "" : ` (${violation.section})`;
  return `${violation.pointer === "" ? "/" : violation.pointer}: ${violation.message}${section}`;
}
