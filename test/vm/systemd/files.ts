// What the machine's base disk has of systemd: its programs, the few units that boot it in seconds, and a bus.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const source = import.meta.dir;

/** Programs of Debian's systemd and dbus; what is missing on the host is missing inside. */
export const systemdPrograms: readonly string[] = [
  ["/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd-cgroups-agent"],
  ["/usr/bin/systemctl", "/usr/bin/systemd-run", "/usr/bin/busctl", "/usr/bin/dbus-daemon"],
].flat();

/** Says which file of systemd or of the bus is not installed; undefined when all are. */
export function missingSystemdFile(): string | undefined {
  return [...systemdPrograms, ...busFiles].find((file) => !existsSync(file));
}

/** The policies of the buses: who may talk to systemd. */
const busFiles: readonly string[] = [
  "/usr/share/dbus-1/system.conf",
  "/usr/share/dbus-1/session.conf",
  "/usr/share/dbus-1/system.d/org.freedesktop.systemd1.conf",
];

/** Targets that systemd itself asks for, whatever it boots into. */
const targets: readonly string[] = [
  ...["basic", "sysinit", "shutdown", "umount", "final", "sockets", "slices", "timers", "paths"],
];

/** Every file of the host that the disk gets, beside programs and libraries. */
export function systemdHostFiles(): readonly string[] {
  const units = targets.flatMap((name) =>
    ["system", "user"].map((kind) => `/usr/lib/systemd/${kind}/${name}.target`),
  );
  return [...busFiles, ...units].filter((file) => existsSync(file));
}

/** Every file of the tree that does. */
export function systemdTreeFiles(): readonly string[] {
  const units = ["system", "user"].flatMap((kind) =>
    readdirSync(join(source, kind)).map((name) => join(source, kind, name)),
  );
  return [import.meta.path, join(source, "system.conf"), ...units];
}

/** Fills the disk; the host's files are copied by the caller. */
export function addSystemd(directory: string): void {
  const etc = join(directory, "etc");
  for (const kind of ["system", "user"]) {
    const target = join(etc, "systemd", kind);
    mkdirSync(target, { recursive: true });
    for (const name of readdirSync(join(source, kind))) {
      copyFileSync(join(source, kind, name), join(target, name));
    }
  }
  for (const name of ["system.conf", "user.conf"]) {
    copyFileSync(join(source, "system.conf"), join(etc, "systemd", name));
  }
  symlinkSync("bench.target", join(etc, "systemd/system/default.target"));
  writeFileSync(join(etc, "machine-id"), "7c1d5b3b1f0d4f6e9a1b2c3d4e5f6071\n");
  writeFileSync(join(etc, "os-release"), "ID=bench\n");
}
