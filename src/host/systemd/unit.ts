// What is asked of systemd: to start, change and stop the unit of a container, and to say which systemd it is.

import { FaultError, raise } from "../../base/fault.ts";
import type { UnitProperty } from "../../plan/systemd-unit.ts";
import { type ManagerKind, type SystemdManager, withManager } from "./bus.ts";
import { DBusError } from "./connection.ts";

/** A unit, and whose manager has it. */
export type UnitPlace = { readonly name: string; readonly manager: ManagerKind };

export type SystemdFacts = {
  /** 252 for `252.39-1~deb12u1`. */
  readonly version: number;
  /** Where the manager's units are in the cgroup tree: "" for process 1's, which keeps the root. */
  readonly group: string;
};

/**
 * Asks the manager which version it is and where it is.
 *
 * @throws `host` when there is none
 */
export function readSystemdFacts(kind: ManagerKind): Promise<SystemdFacts> {
  return withManager(kind, async (manager) => {
    const version = /\d+/.exec(await readProperty(manager, "Version"))?.[0];
    if (version === undefined)
      return raise({ kind: "host", message: "unable to get systemd version" });
    const group = kind === "system" ? "" : await readProperty(manager, "ControlGroup");
    return { version: Number(version), group };
  });
}

async function readProperty(manager: SystemdManager, name: string): Promise<string> {
  const value = await manager.call({
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    signature: "ss",
    body: ["org.freedesktop.systemd1.Manager", name],
  });
  if (typeof value === "string") return value;
  // The library hands a variant on as its parsed signature and a list of one value.
  const [, inner] = Array.isArray(value) ? value : [];
  const [text] = Array.isArray(inner) ? inner : [];
  return typeof text === "string" ? text : "";
}

/**
 * Starts the unit and waits until systemd has it. One of that name that has failed and was left is taken away first.
 *
 * @throws `host` in runc's words
 */
export function startUnit(
  { name, manager: kind }: UnitPlace,
  properties: readonly UnitProperty[],
): Promise<void> {
  return withManager(kind, async (manager) => {
    const start = (): Promise<unknown> =>
      manager.call({
        member: "StartTransientUnit",
        signature: "ssa(sv)a(sa(sv))",
        body: [name, "replace", properties.map(encodeProperty), []],
      });
    const job = await start().catch(async (error: unknown) => {
      if (!isNamed(error, "org.freedesktop.systemd1.UnitExists")) throw explain(name, error);
      await resetFailed(manager, name);
      return start().catch((again: unknown) => {
        throw explain(name, again);
      });
    });
    const result = await manager.jobEnd(String(job));
    if (result === "done") return;
    await resetFailed(manager, name);
    raise({
      kind: "host",
      message:
        result === undefined
          ? `Timeout waiting for systemd to create ${name}`
          : `error creating systemd unit \`${name}\`: got \`${result}\``,
    });
  });
}

/**
 * Stops the unit, which takes away its group; that there is none is fine.
 *
 * @param warn told when systemd could not do it, and the groups have to be removed by hand
 * @throws `host` when it does not answer in time
 */
export function stopUnit(
  { name, manager: kind }: UnitPlace,
  warn: (message: string) => void,
): Promise<void> {
  return withManager(kind, async (manager) => {
    const job = await manager
      .call({ member: "StopUnit", signature: "ss", body: [name, "replace"] })
      .catch((error: unknown) => {
        // A scope goes by itself when its last process has ended.
        if (isNamed(error, "org.freedesktop.systemd1.NoSuchUnit")) return undefined;
        throw explain(name, error);
      });
    if (job !== undefined) {
      const result = await manager.jobEnd(String(job));
      if (result === undefined) {
        raise({ kind: "host", message: `Timed out while waiting for systemd to remove ${name}` });
      }
      if (result !== "done") {
        warn(`error removing unit \`${name}\`: got \`${result}\`. Continuing...`);
      }
    }
    await resetFailed(manager, name);
  });
}

/**
 * Changes properties of the unit until it ends.
 *
 * @throws `host` when systemd refuses them
 */
export async function setUnitProperties(
  { name, manager: kind }: UnitPlace,
  properties: readonly UnitProperty[],
): Promise<void> {
  if (properties.length === 0) return;
  await withManager(kind, (manager) =>
    manager
      .call({
        member: "SetUnitProperties",
        signature: "sba(sv)",
        body: [name, true, properties.map(encodeProperty)],
      })
      .catch((error: unknown) => {
        throw explain(name, error, "unable to set unit properties");
      }),
  );
}

/** A failed unit stays until somebody says that it may go; that it has not failed is what is hoped for. */
async function resetFailed(manager: SystemdManager, name: string): Promise<void> {
  await manager
    .call({ member: "ResetFailedUnit", signature: "s", body: [name] })
    .catch((error: unknown) => {
      if (isNamed(error, "org.freedesktop.systemd1.NoSuchUnit")) return;
      throw explain(name, error);
    });
}

/** As the library wants a structure with a variant in it. */
function encodeProperty({ name, signature, value }: UnitProperty): unknown {
  return [name, [signature, value]];
}

function isNamed(error: unknown, dbusName: string): boolean {
  return error instanceof DBusError && error.dbusName === dbusName;
}

/** The fault for an error of D-Bus; any other error is itself. */
function explain(name: string, error: unknown, doing = `unable to change unit ${name}`): unknown {
  if (!(error instanceof DBusError)) return error;
  const message = `${doing}: ${error.message}`;
  return new FaultError({ kind: "host", message }, { cause: error });
}
