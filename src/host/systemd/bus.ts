// A conversation with a manager of systemd over D-Bus; what is said in it is unit.ts. Loaded only where systemd is asked for.

import { createClient, type MessageBus } from "dbus-native";
import { FaultError, raise } from "../../base/fault.ts";
import { exists } from "../files.ts";

/** The manager of the whole host, or the one of the user who calls. */
export type ManagerKind = "system" | "user";

export type ManagerCall = {
  readonly member: string;
  readonly signature?: string;
  readonly body?: unknown[];
  /** Without the interface of the manager's own methods. */
  readonly interface?: string;
};

export type SystemdManager = {
  /** Calls a method of the manager. @throws DBusError, with the error's name as `dbusName` */
  readonly call: (call: ManagerCall) => Promise<unknown>;
  /** How a job ended, by its object path: `done`, `failed`, ...; undefined when it did not in time. */
  readonly jobEnd: (job: string) => Promise<string | undefined>;
};

/** runc's, for an answer and for the end of a job. */
export const systemdTimeoutMs = 30_000;

const managerPath = "/org/freedesktop/systemd1";
const managerName = "org.freedesktop.systemd1";
const managerInterface = "org.freedesktop.systemd1.Manager";
const signalType = 4;

/** Where a manager is spoken to. */
type Address = {
  readonly address: string;
  /** The manager's own socket, without a bus between. */
  readonly direct: boolean;
};

/**
 * Connects to the manager, lets `talk` speak with it, and closes the connection.
 *
 * @throws `host` when systemd does not run here or cannot be reached; what `talk` throws
 */
export async function withManager<T>(
  kind: ManagerKind,
  talk: (manager: SystemdManager) => Promise<T>,
): Promise<T> {
  const { address, direct } = findAddress(kind);
  const ends = new Map<string, string>();
  const waiting = new Map<string, (result: string) => void>();
  // The library's way of passing descriptors needs a thread of its own, and none are passed here.
  const client = createClient({
    busAddress: address,
    direct,
    authMethods: ["EXTERNAL"],
    fdTransport: false,
    timeout: systemdTimeoutMs,
  });
  const broken = new Promise<never>((_, reject) => {
    client.connection.on("error", (error: Error) => reject(unreachable(kind, error)));
  });
  // It is of interest only while somebody waits for an answer.
  broken.catch(() => undefined);
  client.connection.on("message", ({ type, member, body = [] }) => {
    const [, job, , result] = body;
    if (type !== signalType || member !== "JobRemoved") return;
    if (typeof job !== "string" || typeof result !== "string") return;
    ends.set(job, result);
    waiting.get(job)?.(result);
  });
  const call = (asked: ManagerCall): Promise<unknown> =>
    Promise.race([invoke(client, asked), broken]);
  const jobEnd = (job: string): Promise<string | undefined> => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const known = ends.get(job);
    if (known !== undefined) return Promise.resolve(known);
    const timer = setTimeout(() => resolve(undefined), systemdTimeoutMs);
    waiting.set(job, resolve);
    return Promise.race([promise, broken]).finally(() => clearTimeout(timer));
  };
  try {
    if (!direct) {
      const rule = `type='signal',sender='${managerName}',interface='${managerInterface}',member='JobRemoved'`;
      await Promise.race([client.addMatch(rule), broken]);
    }
    return await talk({ call, jobEnd });
  } finally {
    client.connection.end();
  }
}

function invoke(client: MessageBus, call: ManagerCall): Promise<unknown> {
  return Promise.resolve(
    client.invoke({
      destination: managerName,
      path: managerPath,
      interface: call.interface ?? managerInterface,
      member: call.member,
      ...(call.signature === undefined ? {} : { signature: call.signature }),
      ...(call.body === undefined ? {} : { body: call.body }),
    }),
  );
}

/** A path in an address of D-Bus: what is not harmless is written as `%XX`. */
function unixAddress(path: string): string {
  return `unix:path=${path.replace(/[^-0-9A-Za-z_/.\\]/g, (character) => encodeURIComponent(character))}`;
}

/** sd_booted(3), and where runc looks for the buses. */
function findAddress(kind: ManagerKind): Address {
  if (!exists("/run/systemd/system")) {
    raise({
      kind: "host",
      message: "systemd not running on this host, cannot use systemd cgroups manager",
    });
  }
  const runtime = process.env["XDG_RUNTIME_DIR"] ?? "";
  const named =
    process.env[kind === "system" ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS"];
  if (named !== undefined && named !== "") return { address: named, direct: false };
  const [bus, own] =
    kind === "system"
      ? ["/run/dbus/system_bus_socket", "/run/systemd/private"]
      : [`${runtime}/bus`, `${runtime}/systemd/private`];
  if (kind === "user" && runtime === "") {
    raise({
      kind: "host",
      message:
        "could not find the bus of this user's systemd: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set",
    });
  }
  return exists(bus)
    ? { address: unixAddress(bus), direct: false }
    : { address: unixAddress(own), direct: true };
}

function unreachable(kind: ManagerKind, cause: Error): FaultError {
  const message = `talking to systemd on the ${kind} bus: ${cause.message}`;
  return new FaultError({ kind: "host", message }, { cause });
}
