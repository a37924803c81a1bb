// ts-runc list: the containers of a state root.

import { raise } from "../base/fault.ts";
import { listContainers } from "../container/list.ts";
import { exists, readTextIfPresent } from "../host/files.ts";
import type { Invocation } from "./invocation.ts";
import { flag, textAsGiven } from "./options.ts";
import { print } from "./output.ts";
import { listIds, listJson, listTable, ownerName } from "./print-list.ts";

export function list({ globals, values }: Invocation): number {
  const { root, rootGiven } = globals;
  const doing = "listing containers";
  const containers = listContainers({ root }) ?? [];
  // Without --root a missing directory says that there just has not been a container yet.
  if (containers.length === 0 && rootGiven && !exists(root)) {
    const target = JSON.stringify(root);
    raise({ kind: "syscall", doing, call: "open", target, errno: "ENOENT", where: "runtime" });
  }
  if (flag(values, "quiet")) {
    print(listIds(containers));
    return 0;
  }
  const passwd = containers.length === 0 ? "" : (readTextIfPresent("/etc/passwd", doing) ?? "");
  const named = containers.map((one) => ({ ...one, owner: ownerName(one.owner, passwd) }));
  switch (textAsGiven(values, "format") ?? "table") {
    case "table":
      print(listTable(named));
      return 0;
    case "json":
      print(listJson(named));
      return 0;
    default:
      return raise({ kind: "refused", message: "invalid format option" });
  }
}
