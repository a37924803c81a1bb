// Moves network devices of the host into a container's network namespace, with their addresses; linux.netDevices.

import { AT_FDCWD, openFlags } from "../abi/file.ts";
import {
  addressAttributes,
  IFA_F_PERMANENT,
  linkAttributes,
  netlinkFlags,
  netlinkTypes,
  RT_SCOPE_UNIVERSE,
} from "../abi/netlink.ts";
import { cloneFlags } from "../abi/process.ts";
import { interfaceFlags } from "../abi/socket.ts";
import { debug } from "../base/debug.ts";
import { FaultError, raise } from "../base/fault.ts";
import { UndoStack } from "../base/undo-stack.ts";
import { wordFaultError } from "../base/word-fault.ts";
import { must } from "../ffi/execute.ts";
import type { Linux } from "../spec/types.ts";
import { openat } from "../syscall/files.ts";
import { setns } from "../syscall/processes.ts";
import { type OwnedFd, own } from "./files.ts";
import { type NetlinkMessage, openRtnetlink, request, viewOf } from "./rtnetlink.ts";

/** A network namespace: its descriptor, and a socket that talks to the kernel about it. */
type Side = { readonly namespace: OwnedFd; readonly socket: OwnedFd };

/** `struct ifinfomsg`: family, type, index, flags, mask of flags. */
const linkBytes = 16;
/** `struct ifaddrmsg`: family, length of the prefix, flags, scope, index. */
const addressBytes = 8;
const { IFLA_IFNAME, IFLA_NET_NS_FD } = linkAttributes;
const { IFA_ADDRESS, IFA_BROADCAST, IFA_FLAGS, IFA_LOCAL } = addressAttributes;
const { NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE } = netlinkFlags;
const noAttributes: ReadonlyMap<number, Uint8Array> = new Map();

/** A device with what it is to have where it arrives. */
type Device = {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly addresses: readonly NetlinkMessage[];
};

/**
 * Moves the devices into the network namespace of a process. Run by the runtime, which for the time of one call is in that
 * namespace itself.
 *
 * Spec: config-linux.md#network-devices: the device is moved, renamed if a name is given, and set up; addresses that are
 * permanent and of global scope MUST be kept.
 *
 * @returns takes them back, for a container that cannot be made after all: with its namespace a virtual device would end
 * @throws `syscall` fault of `rtnetlink`; what had been moved is back then
 */
export function moveNetDevices(pid: number, devices: Linux["netDevices"]): Disposable {
  const stack = new UndoStack();
  try {
    const host = stack.use(openSide("/proc/self/ns/net"));
    const container = stack.use(openSide(`/proc/${pid}/ns/net`, host.namespace));
    for (const [name, { name: given = "" }] of Object.entries(devices ?? {})) {
      const wanted = given === "" ? name : given;
      const doing = `moving the network device ${name} into the container as ${wanted} (linux.netDevices)`;
      const device = findDevice(host, name, doing);
      const moved = moveDevice(device, { from: host, to: container, wanted, doing });
      stack.defer(() => moveBack(device, { from: container, to: host, moved }));
      settle(container, { ...moved, up: true }, doing);
    }
    return stack;
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

/** Takes back what can be taken back: why we are doing it is what the caller has to know. */
function moveBack(
  device: Device,
  move: { readonly from: Side; readonly to: Side; readonly moved: Device },
): void {
  const { from, to, moved } = move;
  const doing = `moving the network device ${moved.name} back to the host as ${device.name}`;
  try {
    const back = moveDevice(moved, { from, to, wanted: device.name, doing });
    settle(to, { ...back, up: device.up }, doing);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    debug(() => wordFaultError(error));
  }
}

/** Opens a namespace by its path. `home` is where to return to from one that is not the runtime's own. */
function openSide(path: string, home?: OwnedFd): Side & Disposable {
  const doing = `opening the network namespace ${path}`;
  const namespace = own(must(openat(AT_FDCWD, path, { flags: openFlags.O_CLOEXEC }), doing));
  const enter = ({ fd }: OwnedFd): number => must(setns(fd, cloneFlags.CLONE_NEWNET), doing);
  if (home !== undefined) enter(namespace);
  try {
    const socket = openRtnetlink(doing);
    const dispose = (): void => {
      socket[Symbol.dispose]();
      namespace[Symbol.dispose]();
    };
    return { namespace, socket, [Symbol.dispose]: dispose };
  } finally {
    // It concerns this thread alone, which does nothing in between.
    if (home !== undefined) enter(home);
  }
}

/** @throws `syscall` fault with ENODEV when there is none of this name */
function findDevice(side: Side, name: string, doing: string): Device {
  const link = [...listLinks(side, doing)].find(([, found]) => found.name === name);
  if (link === undefined) {
    return raise({ kind: "syscall", doing, call: "rtnetlink", errno: "ENODEV", where: "runtime" });
  }
  const [index, { up }] = link;
  return { index, name, up, addresses: listAddresses(side, index, doing) };
}

/** Moves one device, which loses its addresses by that; on failure it is as it was. */
function moveDevice(
  device: Device,
  move: {
    readonly from: Side;
    readonly to: Side;
    /** With `%d` in it the kernel fills in a number. */
    readonly wanted: string;
    readonly doing: string;
  },
): Device {
  const { from, to, wanted, doing } = move;
  const before = listLinks(to, doing);
  // The kernel would move it, and only then say so.
  if ([...before.values()].some(({ name }) => name === wanted)) {
    raise({ kind: "syscall", doing, call: "rtnetlink", errno: "EEXIST", where: "runtime" });
  }
  // A device that is up may not be renamed.
  setLink(from, { index: device.index, up: false, doing });
  try {
    setLink(from, { index: device.index, attributes: leaveFor(to, wanted), doing });
  } catch (error) {
    const strayed = findArrived(to, before, doing);
    if (strayed !== undefined) {
      const { index } = strayed;
      setLink(to, { index, attributes: leaveFor(from, device.name), doing });
    }
    const { index } = findDevice(from, device.name, doing);
    settle(from, { ...device, index }, doing);
    throw error;
  }
  const arrived = findArrived(to, before, doing);
  if (arrived === undefined) {
    return raise({ kind: "host", message: `${doing}: it has not arrived` });
  }
  return { ...device, ...arrived };
}

function leaveFor(to: Side, name: string): ReadonlyMap<number, Uint8Array> {
  return new Map([
    [IFLA_NET_NS_FD, numberBytes(to.namespace.fd)],
    [IFLA_IFNAME, new TextEncoder().encode(`${name}\0`)],
  ]);
}

/** The device that was not there before: its number need not be the one that it had. */
function findArrived(
  to: Side,
  before: ReadonlyMap<number, unknown>,
  doing: string,
): { readonly index: number; readonly name: string } | undefined {
  const arrived = [...listLinks(to, doing)].find(([index]) => !before.has(index));
  return arrived === undefined ? undefined : { index: arrived[0], name: arrived[1].name };
}

/** Gives a device its addresses, and sets it up if it is to be. */
function settle(side: Side, { index, addresses, up }: Device, doing: string): void {
  for (const address of addresses) addAddress(side, { index, address, doing });
  if (up) setLink(side, { index, up: true, doing });
}

/** The devices of a namespace by number. */
function listLinks(
  { socket }: Side,
  doing: string,
): ReadonlyMap<number, { readonly name: string; readonly up: boolean }> {
  const links = request(
    socket,
    {
      ...{ type: netlinkTypes.RTM_GETLINK, flags: NLM_F_DUMP },
      ...{ body: new Uint8Array(linkBytes), attributes: noAttributes },
    },
    { doing, bodyBytes: linkBytes },
  );
  return new Map(
    links.map(({ body, attributes }) => {
      const up = (viewOf(body).getUint32(8, true) & interfaceFlags.IFF_UP) !== 0;
      return [viewOf(body).getInt32(4, true), { name: textOf(attributes), up }];
    }),
  );
}

function textOf(attributes: NetlinkMessage["attributes"]): string {
  const name = attributes.get(IFLA_IFNAME) ?? new Uint8Array(0);
  return new TextDecoder().decode(name).replace(/\0.*$/s, "");
}

/** The addresses that go with a device: those that somebody has given it, and that are not the host's alone. */
function listAddresses({ socket }: Side, index: number, doing: string): readonly NetlinkMessage[] {
  const all = request(
    socket,
    {
      ...{ type: netlinkTypes.RTM_GETADDR, flags: NLM_F_DUMP },
      ...{ body: new Uint8Array(addressBytes), attributes: noAttributes },
    },
    { doing, bodyBytes: addressBytes },
  );
  return all.filter(({ body, attributes }) => {
    const view = viewOf(body);
    const isPermanent = (flagsOf({ body, attributes }) & IFA_F_PERMANENT) !== 0;
    return (
      view.getUint32(4, true) === index && view.getUint8(3) === RT_SCOPE_UNIVERSE && isPermanent
    );
  });
}

/** All 32 flags of an address, of which the fixed part has room for eight. */
function flagsOf({ body, attributes }: NetlinkMessage): number {
  const wide = attributes.get(IFA_FLAGS);
  return wide === undefined ? viewOf(body).getUint8(2) : viewOf(wide).getUint32(0, true);
}

function addAddress(
  { socket }: Side,
  added: { readonly index: number; readonly address: NetlinkMessage; readonly doing: string },
): void {
  const { index, address, doing } = added;
  const body = address.body.slice();
  // The kernel decides what is permanent; the other flags are in the attribute.
  body[2] = 0;
  viewOf(body).setUint32(4, index, true);
  const attributes = new Map<number, Uint8Array>([
    [IFA_FLAGS, numberBytes(flagsOf(address) & ~IFA_F_PERMANENT)],
  ]);
  for (const kind of [IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST]) {
    const value = address.attributes.get(kind);
    if (value !== undefined) attributes.set(kind, value);
  }
  const flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
  const asked = { type: netlinkTypes.RTM_NEWADDR, flags, body, attributes };
  request(socket, asked, { doing: `${doing}: adding its address`, bodyBytes: 0 });
}

function setLink(
  { socket }: Side,
  link: {
    readonly index: number;
    readonly up?: boolean;
    readonly attributes?: ReadonlyMap<number, Uint8Array>;
    readonly doing: string;
  },
): void {
  const { index, up, attributes = noAttributes, doing } = link;
  const body = new Uint8Array(linkBytes);
  const view = viewOf(body);
  view.setInt32(4, index, true);
  if (up !== undefined) {
    view.setUint32(8, up ? interfaceFlags.IFF_UP : 0, true);
    view.setUint32(12, interfaceFlags.IFF_UP, true);
  }
  const asked = { type: netlinkTypes.RTM_NEWLINK, flags: NLM_F_ACK, body, attributes };
  request(socket, asked, { doing, bodyBytes: 0 });
}

function numberBytes(value: number): Uint8Array {
  const encoded = new Uint8Array(4);
  viewOf(encoded).setUint32(0, value, true);
  return encoded;
}
