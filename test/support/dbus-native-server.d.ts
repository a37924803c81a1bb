// The part of dbus-native that fake-systemd.ts uses, which comes without types of its own.

declare module "dbus-native/lib/server-handshake.js" {
  import type { Socket } from "node:net";

  function serverHandshake(
    socket: Socket,
    options: { readonly authorize?: (who: { readonly uid: number | null }) => boolean },
    done: (error: Error | null) => void,
  ): void;

  // biome-ignore lint/style/noDefaultExport: this is how the package exports it.
  export { serverHandshake as default };
}
