// Handing descriptors to whoever waits for them on a unix socket that the caller of a command has named.

import {
  SCM_RIGHTS,
  SOL_SOCKET,
  socketFamilies,
  socketPathMaxBytes,
  socketTypes,
} from "../abi/socket.ts";
import { controlMessage, ioVector, messageHeader } from "../abi/struct.ts";
import { raise } from "../base/fault.ts";
import { must } from "../ffi/execute.ts";
import { write } from "../syscall/files.ts";
import { connectPath, socket } from "../syscall/sockets.ts";
import { call, number, struct, text } from "../syscall/value.ts";
import { type OwnedFd, own } from "./files.ts";

/**
 * Connects to a listening unix socket; `doing` says for whom, and `setUp` is done to the socket before.
 *
 * @throws `syscall` fault; `refused` when connect(2) cannot take the path
 */
export function connectSocket(path: string, doing: string, setUp?: (fd: number) => void): OwnedFd {
  if (Buffer.byteLength(path) > socketPathMaxBytes) {
    const message = `${doing}: the path of a socket has at most ${socketPathMaxBytes} bytes`;
    raise({ kind: "refused", message });
  }
  const { SOCK_CLOEXEC, SOCK_STREAM } = socketTypes;
  const connected = own(must(socket(socketFamilies.AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC), doing));
  setUp?.(connected.fd);
  must(connectPath(connected.fd, path), doing);
  return connected;
}

/**
 * Sends a descriptor with SCM_RIGHTS, beside a text, in one message unless the text is too long for that; unix(7).
 *
 * @throws `syscall` fault
 */
export function sendDescriptor(
  receiver: OwnedFd,
  sent: OwnedFd,
  message: { readonly text: string; readonly doing: string },
): void {
  const content = new TextEncoder().encode(message.text);
  const header = struct(messageHeader, {
    msg_iov: struct(ioVector, {
      iov_base: text(message.text),
      iov_len: number(content.byteLength),
    }),
    msg_iovlen: number(1),
    msg_control: struct(controlMessage, {
      "header.cmsg_len": number(controlMessage.sizeBytes - 4),
      "header.cmsg_level": number(SOL_SOCKET),
      "header.cmsg_type": number(SCM_RIGHTS),
      descriptor: number(sent.fd),
    }),
    msg_controllen: number(controlMessage.sizeBytes),
  });
  const first = must(call("sendmsg", number(receiver.fd), header, number(0)), message.doing);
  for (let done = first; done < content.byteLength; ) {
    done += must(write(receiver.fd, content.subarray(done)), message.doing);
  }
}
