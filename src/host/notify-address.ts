// Whether our caller is a service that has to tell when it is ready; every `start` asks, and most have nobody to tell.

/** The socket on which a service manager wants to be told when we are ready, sd_notify(3). */
export function readNotifySocket(): string | undefined {
  return process.env["NOTIFY_SOCKET"] || undefined;
}
