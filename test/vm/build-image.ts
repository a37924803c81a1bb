// Builds the machine's kernel, initramfs and base disk once and keeps them in .cache; not the tree under test (bench.ts).
//
//   scripts/bun test/vm/build-image.ts     prints the directory of the image

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  addSystemd,
  systemdHostFiles,
  systemdPrograms,
  systemdTreeFiles,
} from "./systemd/files.ts";

/** The files of an image, all for reading only. */
export type MachineImage = {
  readonly kernel: string;
  readonly initramfs: string;
  /** An ext4 file system with the label `ts-runc-base`. */
  readonly disk: string;
};

const root = join(import.meta.dir, "../..");
const cache = join(root, ".cache/vm");
const bun = join(root, "node_modules/@oven/bun-linux-x64/bin/bun");
/** Debian 12's own kernel, and the newest that Debian makes for it; packages that name another one. */
const kernelPackages = {
  stable: "linux-image-cloud-amd64",
  newer: "linux-image-6.12-cloud-amd64",
} as const;
export type MachineKernel = keyof typeof kernelPackages;
/** What the initramfs loads before it can see a disk, and what a test may ask the kernel for. */
const bootModules = ["virtio_pci", "virtio_blk", "virtio_console"];
const testModules = [
  ["overlay", "fuse", "loop", "bfq"],
  ["veth", "bridge", "dummy", "macvlan", "ipvlan", "tun"],
  // CRIU asks for these when it starts, and does nothing without them.
  ["unix_diag", "inet_diag", "tcp_diag", "udp_diag", "raw_diag", "af_packet_diag", "netlink_diag"],
  ["nf_tables", "nft_compat", "xt_mark", "nf_conntrack_netlink"],
].flat();
/** Programs of the host that tests may use inside; one that is missing on the host is missing inside. */
const programs = [
  ["/usr/bin/crun", "/usr/sbin/runc", "/usr/sbin/ip", "/usr/bin/strace", "/usr/bin/bash"],
  ["/usr/bin/mount", "/usr/bin/umount", "/usr/bin/nsenter", "/usr/bin/setpriv"],
  // Set-user-ID programs, and so they are inside.
  ["/usr/bin/newuidmap", "/usr/bin/newgidmap"],
  ["/usr/sbin/apparmor_parser"],
  // CRIU, and what it calls: for what is in a tmpfs, and for closing a network namespace meanwhile.
  ["/usr/sbin/criu", "/usr/bin/tar", "/usr/bin/gzip"],
  ["/usr/sbin/iptables-restore", "/usr/sbin/ip6tables-restore"],
  ["/usr/bin/unshare", "/usr/bin/flock", "/usr/bin/prlimit", "/usr/bin/ps", "/usr/bin/script"],
  systemdPrograms,
].flat();
/** Libraries that no program above links but that are opened by name: by ts-runc, and by iptables-restore. */
const openedLibraries = [
  "/usr/lib/x86_64-linux-gnu/libseccomp.so.2",
  ...["libxt_mark.so", "libxt_standard.so"].map(
    (name) => `/usr/lib/x86_64-linux-gnu/xtables/${name}`,
  ),
];

/**
 * Returns the image, built if there is none for these inputs. Several processes may do so at once.
 *
 * The key covers everything but the kernel: which kernel an image has was decided when it was built, so that neither a
 * package index nor a network is needed as long as an image is there.
 */
export function buildImage(kernel: MachineKernel): MachineImage {
  const files = hostFiles();
  const directory = imageDirectory(kernel, files);
  if (!existsSync(directory)) {
    mkdirSync(cache, { recursive: true });
    const temporary = mkdtempSync(join(cache, "building-"));
    try {
      fillImage(temporary, { files, kernel });
      publish(temporary, directory);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  utimesSync(directory, new Date(), new Date());
  return {
    kernel: join(directory, "kernel"),
    initramfs: join(directory, "initramfs"),
    disk: join(directory, "disk"),
  };
}

/** Every program of the host that goes into the base disk, and the libraries they need. */
function hostFiles(): readonly string[] {
  const present = programs.filter((program) => existsSync(program));
  const linked = execute(["ldd", bun, ...present]).matchAll(/(?:=>\s+|^\s+)(\/\S+)/gm);
  const libraries = [...linked].map((match) => match[1] ?? "");
  return [...new Set([...present, ...libraries, ...openedLibraries, ...systemdHostFiles()])].sort();
}

function imageDirectory(kernel: MachineKernel, files: readonly string[]): string {
  return join(cache, `${imageKey(files)}-${kernel}`);
}

function imageKey(files: readonly string[]): string {
  const hasher = new Bun.CryptoHasher("sha256");
  const sources = ["build-image.ts", "guest-init.sh"].map((name) => join(import.meta.dir, name));
  for (const file of [...sources, ...systemdTreeFiles(), "/bin/busybox", bun, ...files]) {
    hasher.update(`${basename(file)} ${statSync(file).size}\n`).update(readFileSync(file));
  }
  return hasher.digest("hex").slice(0, 16);
}

/** Moves a finished image to its name; another process may have been faster, with the same content. */
function publish(temporary: string, directory: string): void {
  for (const name of ["package", "initramfs.d", "disk.d"]) {
    rmSync(join(temporary, name), { recursive: true });
  }
  try {
    renameSync(temporary, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
  }
  // Images of older inputs, and what a killed build left: gone after a day without use.
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (Date.now() - statSync(path).mtimeMs > 24 * 3600 * 1000) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

function fillImage(
  directory: string,
  { files, kernel }: { readonly files: readonly string[]; readonly kernel: MachineKernel },
): void {
  const unpacked = join(directory, "package");
  const version = unpackKernel(unpacked, kernelPackages[kernel]);
  copyFileSync(join(unpacked, "boot", `vmlinuz-${version}`), join(directory, "kernel"));
  fillInitramfs(join(directory, "initramfs.d"), join(unpacked, "lib/modules", version));
  execute(["sh", "-c", "find . | sort | busybox cpio -o -H newc >../initramfs"], {
    cwd: join(directory, "initramfs.d"),
  });
  fillDisk(join(directory, "disk.d"), files);
  addModules(join(directory, "disk.d"), join(unpacked, "lib/modules", version));
  makeDisk(join(directory, "disk"), {
    from: join(directory, "disk.d"),
    label: "ts-runc-base",
    sizeMiB: 2048,
  });
}

/** Whether there is an image with this kernel, or apt knows where to get it. */
export function canHaveKernel(kernel: MachineKernel): boolean {
  if (existsSync(imageDirectory(kernel, hostFiles()))) return true;
  try {
    return kernelOf(kernelPackages[kernel]) !== undefined;
  } catch {
    // apt-cache fails for a package that it does not know.
    return false;
  }
}

/** The package that a kernel package names. */
function kernelOf(kernelPackage: string): string | undefined {
  const depends = execute(["apt-cache", "depends", "--important", kernelPackage]);
  return /Depends: (linux-image-\S+)/.exec(depends)?.[1];
}

/** Downloads and unpacks the kernel, without installing it, and returns its version. */
function unpackKernel(directory: string, kernelPackage: string): string {
  mkdirSync(directory);
  const download = (): void => {
    const name = kernelOf(kernelPackage);
    if (name === undefined) throw new Error(`${kernelPackage} is not known to apt`);
    execute(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name], {
      cwd: directory,
    });
  };
  try {
    download();
  } catch {
    // The package index is missing, or so old that the mirror has dropped the version it names.
    execute(["apt-get", "-qq", "update"]);
    download();
  }
  const archive = readdirSync(directory).find((name) => name.endsWith(".deb"));
  if (archive === undefined) throw new Error(`no package was downloaded for ${kernelPackage}`);
  execute(["dpkg-deb", "-x", archive, "."], { cwd: directory });
  const version = readdirSync(join(directory, "lib/modules"))[0];
  if (version === undefined) throw new Error(`${archive} holds no modules`);
  // Those of newer kernels are compressed.
  execute(["find", directory, "-name", "*.ko.xz", "-exec", "busybox", "unxz", "{}", "+"]);
  execute(["busybox", "depmod", "-b", directory, version]);
  return version;
}

function fillInitramfs(directory: string, modules: string): void {
  for (const name of ["bin", "dev", "modules", "proc", "root", "sys"]) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  copyFileSync("/bin/busybox", join(directory, "bin/busybox"));
  for (const name of ["findfs", "insmod", "mount", "sh", "switch_root"]) {
    symlinkSync("busybox", join(directory, "bin", name));
  }
  const order = loadOrder(modules, bootModules);
  for (const path of order) {
    copyFileSync(join(modules, path), join(directory, "modules", basename(path)));
  }
  const names = order.map((path) => basename(path));
  writeFileSync(join(directory, "modules/order"), `${names.join("\n")}\n`);
  copyFileSync(join(import.meta.dir, "guest-init.sh"), join(directory, "init"));
  chmodSync(join(directory, "init"), 0o755);
}

/** The paths of the modules and of what they depend on, each after its dependencies; without those that are built into the kernel. */
function loadOrder(modules: string, names: readonly string[]): readonly string[] {
  const dependencies = new Map<string, readonly string[]>();
  for (const line of readFileSync(join(modules, "modules.dep"), "utf8").split("\n")) {
    const [path = "", rest = ""] = line.split(":");
    dependencies.set(path, rest.split(" ").filter(Boolean));
  }
  const builtIn = readFileSync(join(modules, "modules.builtin"), "utf8").split("\n");
  const isBuiltIn = (name: string): boolean =>
    builtIn.some((path) => basename(path) === `${name}.ko`);
  const order = new Set<string>();
  for (const name of names.filter((one) => !isBuiltIn(one))) {
    const path = [...dependencies.keys()].find((key) => basename(key) === `${name}.ko`);
    if (path === undefined) throw new Error(`the kernel has no module ${name}`);
    // modules.dep lists the deepest dependency last.
    for (const dependency of [...(dependencies.get(path) ?? [])].reverse()) order.add(dependency);
    order.add(path);
  }
  return [...order];
}

function fillDisk(directory: string, files: readonly string[]): void {
  const directories = ["dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/lib"];
  directories.push("var/lib/person", "var/log");
  directories.push("usr/lib64", "usr/local/bin", "var/tmp", "work-tree");
  for (const name of directories) mkdirSync(join(directory, name), { recursive: true });
  chmodSync(join(directory, "tmp"), 0o1777);
  chmodSync(join(directory, "var/tmp"), 0o1777);
  for (const name of ["bin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(directory, name));
  symlinkSync("usr/bin", join(directory, "sbin"));
  symlinkSync("bin", join(directory, "usr/sbin"));
  for (const file of files) copyInto(directory, file);
  copyFileSync(bun, join(directory, "usr/local/bin/bun"));
  copyInto(directory, "/bin/busybox");
  for (const applet of execute(["busybox", "--list"]).trim().split("\n")) {
    const link = join(directory, "usr/bin", applet);
    if (!existsSync(link)) symlinkSync("busybox", link);
  }
  const etc = {
    passwd: [
      "root:x:0:0:root:/root:/bin/sh",
      "messagebus:x:101:101::/:/bin/false",
      "user:x:1000:1000::/var/lib/person:/bin/sh",
      "nobody:x:65534:65534:nobody:/:/bin/false\n",
    ].join("\n"),
    group: "root:x:0:\ntty:x:5:\nmessagebus:x:101:\nuser:x:1000:\nnogroup:x:65534:\n",
    hosts: "127.0.0.1 localhost\n",
    subuid: "root:100000:65536\nuser:200000:65536\n",
    subgid: "root:100000:65536\nuser:200000:65536\n",
  };
  for (const [name, text] of Object.entries(etc)) writeFileSync(join(directory, "etc", name), text);
  addSystemd(directory);
}

function copyInto(directory: string, file: string): void {
  mkdirSync(dirname(join(directory, file)), { recursive: true });
  copyFileSync(file, join(directory, file));
  chmodSync(join(directory, file), statSync(file).mode & 0o7777);
}

function addModules(directory: string, modules: string): void {
  const version = basename(modules);
  const target = join(directory, "lib/modules", version);
  for (const path of loadOrder(modules, testModules)) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    copyFileSync(join(modules, path), join(target, path));
  }
  for (const name of ["modules.builtin", "modules.order"]) {
    copyFileSync(join(modules, name), join(target, name));
  }
  execute(["busybox", "depmod", "-b", directory, version]);
}

/** Makes an ext4 file system of a directory in a sparse file; needs neither root nor a mount. */
export function makeDisk(
  disk: string,
  options: { readonly from: string; readonly label: string; readonly sizeMiB: number },
): void {
  const { from, label, sizeMiB } = options;
  // No journal, and no work left to the first mount: a disk lives for one run.
  const features = ["-O", "^has_journal", "-E", "lazy_itable_init=0,root_owner=0:0", "-m", "0"];
  execute([
    "mke2fs",
    "-q",
    "-t",
    "ext4",
    ...features,
    "-L",
    label,
    "-d",
    from,
    disk,
    `${sizeMiB}M`,
  ]);
}

/** Runs a program to its end and returns what it printed. */
export function execute(argv: readonly string[], options: { readonly cwd?: string } = {}): string {
  const child = Bun.spawnSync([...argv], { ...options, stdin: "ignore", stderr: "pipe" });
  if (child.success) return child.stdout.toString();
  throw new Error(`${argv.join(" ")} exited with ${child.exitCode}: ${child.stderr.toString()}`);
}

if (import.meta.main) console.log(dirname(buildImage("stable").disk));
