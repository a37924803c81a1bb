// A conversation with a manager of systemd; what is said in it is unit.ts. Loaded only where systemd is asked for.

import { FaultError, raise } from "../../base/fault.ts";
import { exists } from "../files.ts";
import { type Connection, connect, DBusError } from "./connection.ts";

/** The manager of the whole host, or the one of the user who calls. */
export type ManagerKind = "system" | "user";

export type ManagerCall = {
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
  /** Without it, that of the manager's own methods. */
  readonly interface?: string;
};

export type SystemdManager = {
  /** The first value of the answer. @throws DBusError; `host` when the manager cannot be reached */
  readonly call: (call: ManagerCall) => Promise<unknown>;
  /** How a job ended, by its object path: `done`, `failed`, ...; undefined when it did not in time. */
  readonly jobEnd: (job: string) => Promise<string | undefined>;
};

/** runc's, for an answer and for the end of a job. */
const timeoutMs = 30_000;

const managerName = "org.freedesktop.systemd1";
const managerInterface = "org.freedesktop.systemd1.Manager";
const busName = "org.freedesktop.DBus";

/** Where a manager is spoken to. */
type Address = {
  readonly path: string;
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
  const { path, direct } = findAddress(kind);
  const jobs = new Map<string, PromiseWithResolvers<string>>();
  const jobOf = (job: string): PromiseWithResolvers<string> => {
    const known = jobs.get(job) ?? Promise.withResolvers<string>();
    jobs.set(job, known);
    return known;
  };
  const reached = <R>(answer: Promise<R>): Promise<R> =>
    answer.catch((error: unknown) => {
      throw error instanceof DBusError ? error : unreachable(kind, error);
    });
  const connection = await reached(
    connect(path, {
      timeoutMs,
      onSignal: ({ member, body = [] }) => {
        const [, job, , result] = body;
        if (member !== "JobRemoved" || typeof job !== "string") return;
        jobOf(job).resolve(String(result));
      },
    }),
  );
  try {
    if (!direct) await reached(enterBus(connection));
    return await talk({
      call: async (asked) => {
        const call = { path: "/org/freedesktop/systemd1", interface: managerInterface, ...asked };
        const [first] = await reached(connection.call({ destination: managerName, ...call }));
        return first;
      },
      jobEnd: (job) => reached(untilEnd(jobOf(job).promise, connection)),
    });
  } finally {
    connection.close();
  }
}

/** A bus wants to be greeted before it delivers anything, and to be told which signals are of interest. */
async function enterBus(connection: Connection): Promise<void> {
  const bus = { destination: busName, path: "/org/freedesktop/DBus", interface: busName };
  await connection.call({ ...bus, member: "Hello" });
  const rule = `type='signal',sender='${managerName}',interface='${managerInterface}',member='JobRemoved'`;
  await connection.call({ ...bus, member: "AddMatch", signature: "s", body: [rule] });
}

async function untilEnd(end: Promise<string>, { broken }: Connection): Promise<string | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  try {
    return await Promise.race([end, late, broken]);
  } finally {
    clearTimeout(timer);
  }
}

/** sd_booted(3), and where runc looks for the buses. */
function findAddress(kind: ManagerKind): Address {
  if (!exists("/run/systemd/system")) {
    raise({
      kind: "host",
      message: "systemd not running on this host, cannot use systemd cgroups manager",
    });
  }
  const variable = kind === "system" ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS";
  const named = process.env[variable] ?? "";
  if (named !== "") return { path: parseAddress(variable, named), direct: false };
  const runtime = process.env["XDG_RUNTIME_DIR"] ?? "";
  if (kind === "user" && runtime === "") {
    raise({
      kind: "host",
      message:
        "cannot find this user's systemd: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set",
    });
  }
  const [bus, own] =
    kind === "system"
      ? ["/run/dbus/system_bus_socket", "/run/systemd/private"]
      : [`${runtime}/bus`, `${runtime}/systemd/private`];
  return exists(bus) ? { path: bus, direct: false } : { path: own, direct: true };
}

/**
 * Finds the first unix socket in a list of addresses such as `unix:path=/run/bus,guid=...`.
 *
 * @throws `host` when there is none
 */
function parseAddress(variable: string, list: string): string {
  for (const address of list.split(";")) {
    const found = /^unix:(?:.*,)?(path|abstract)=([^,]+)/.exec(address);
    const [, key, escaped = ""] = found ?? [];
    if (key === undefined) continue;
    const path = escaped.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    );
    return key === "abstract" ? `\0${path}` : path;
  }
  const message = `${variable}=${list} names no unix socket by path or abstract name`;
  return raise({ kind: "host", message });
}

function unreachable(kind: ManagerKind, cause: unknown): FaultError {
  const words = cause instanceof Error ? cause.message : String(cause);
  const message = `talking to systemd on the ${kind} bus: ${words}`;
  return new FaultError({ kind: "host", message }, { cause });
}
