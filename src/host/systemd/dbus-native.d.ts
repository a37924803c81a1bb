// The parts of dbus-native that connection.ts uses, which come without types of their own.

declare module "dbus-native/lib/message.js" {
  import type { Socket } from "node:net";

  export type DBusMessage = {
    readonly type?: number;
    readonly serial?: number;
    readonly path?: string;
    readonly interface?: string;
    readonly member?: string;
    readonly errorName?: string;
    readonly replySerial?: number;
    readonly destination?: string;
    readonly sender?: string;
    readonly signature?: string;
    readonly body?: readonly unknown[];
  };

  const message: {
    marshall(message: DBusMessage): Uint8Array;
    unmarshalMessages(
      stream: Socket,
      onMessage: (message: DBusMessage) => void,
      options: { readonly maxMessageSize: number },
      onError: (error: Error) => void,
    ): void;
  };

  // biome-ignore lint/style/noDefaultExport: this is how the package exports it.
  export { message as default };
}

declare module "dbus-native/lib/handshake.js" {
  import type { Socket } from "node:net";

  function handshake(
    stream: Socket,
    options: { readonly authMethods: readonly string[] },
    done: (error: Error | null) => void,
  ): void;

  // biome-ignore lint/style/noDefaultExport: this is how the package exports it.
  export { handshake as default };
}
