// ts-runc checkpoint: saves a container as files.

import { raise } from "../base/fault.ts";
import { checkpointContainer } from "../container/checkpoint.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { readCriuChoices } from "./criu-choices.ts";
import type { Invocation } from "./invocation.ts";
import { flag, integer, type OptionValues, text } from "./options.ts";

export async function checkpoint({
  globals,
  values,
  positionals,
  log,
}: Invocation): Promise<number> {
  const [id = ""] = positionals;
  const statusFd = integer(values, "status-fd");
  await checkpointContainer({
    ...readCriuChoices(values),
    root: globals.root,
    id: parseContainerId(id),
    parentPath: text(values, "parent-path"),
    leaveRunning: flag(values, "leave-running"),
    tcpSkipInFlight: flag(values, "tcp-skip-in-flight"),
    linkRemap: flag(values, "link-remap"),
    preDump: flag(values, "pre-dump"),
    pageServer: readPageServer(values),
    statusFd: statusFd === -1 ? undefined : statusFd,
    warn: log.warning,
  });
  return 0;
}

const portMax = 65_535;

/**
 * Takes ADDRESS:PORT apart; an address with colons stands in brackets.
 *
 * @throws `refused` fault in runc's words
 */
function readPageServer(
  values: OptionValues,
): { readonly address: string; readonly port: number } | undefined {
  const given = text(values, "page-server");
  if (given === undefined) return undefined;
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(given) ?? [];
  const address = bracketed ?? plain ?? "";
  if (address === "" || port === "") {
    raise({
      kind: "refused",
      message: "Use --page-server ADDRESS:PORT to specify page server",
    });
  }
  if (!/^\d+$/.test(port) || Number(port) > portMax) {
    raise({ kind: "refused", message: "Invalid port number" });
  }
  return { address, port: Number(port) };
}
