// tmpcopyup: a tmpfs that begins with what it covers, beside runc, with hostile images, and to its limits. Needs root.

import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runc } from "../cli/executable.ts";
import { type Bundle, openRoom, runBriefly } from "../support/room.ts";

const test = suite("kernel/mounts-copyup");
const room = openRoom("mounts-copyup");
const proc = { destination: "/proc", type: "proc", source: "proc" };
const tmpfs = {
  destination: "/data",
  type: "tmpfs",
  source: "tmpfs",
  options: ["nosuid", "tmpcopyup"],
};
const capabilities = {
  bounding: ["CAP_DAC_OVERRIDE"],
  effective: ["CAP_DAC_OVERRIDE"],
  permitted: ["CAP_DAC_OVERRIDE"],
};

/** A bundle whose image has a /data that `fill` has filled. */
function makeBundle(
  fill: (data: string) => void,
  container: {
    readonly script: string;
    readonly mounts?: readonly object[];
    readonly user?: number;
  },
): Bundle {
  const { script, mounts = [tmpfs], user } = container;
  const maps = user === undefined ? [] : [{ containerID: 0, hostID: user, size: 65536 }];
  const bundle = room.makeBundle({
    mounts: [proc, ...mounts],
    process: { args: ["sh", "-c", script], capabilities },
    linux: {
      namespaces: [
        { type: "pid" },
        { type: "mount" },
        ...(user === undefined ? [] : [{ type: "user" }]),
      ],
      ...(user === undefined ? {} : { uidMappings: maps, gidMappings: maps }),
    },
  });
  const data = join(bundle.rootfs, "data");
  mkdirSync(data);
  for (const name of ["find", "md5sum", "od", "xargs"]) {
    symlinkSync("busybox", join(bundle.rootfs, "bin", name));
  }
  if (user !== undefined) runBriefly(["chown", "-R", `${user}:${user}`, bundle.rootfs]);
  fill(data);
  return bundle;
}

function run({ directory }: Bundle): string {
  const { status, stdout, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
  assert.is(stderr, "");
  assert.is(status, 0);
  return stdout;
}

function fail({ directory }: Bundle): string {
  const { status, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
  assert.is(status, 1, stderr);
  return stderr;
}

/** What runc 1.1.5 can copy: it stumbles over character devices and fifos. */
function fillOrdinary(data: string): void {
  writeFileSync(join(data, "file"), "contents");
  chownSync(join(data, "file"), 5, 6);
  chmodSync(join(data, "file"), 0o4751);
  linkSync(join(data, "file"), join(data, "second-name"));
  symlinkSync("file", join(data, "link"));
  lchownSync(join(data, "link"), 7, 8);
  symlinkSync("/nowhere", join(data, "dangling"));
  symlinkSync("/", join(data, "to-root"));
  for (const name of ["sub", "sub/deep", "sub/deep/empty"]) mkdirSync(join(data, name));
  chownSync(join(data, "sub"), 9, 10);
  chmodSync(join(data, "sub"), 0o1751);
  writeFileSync(join(data, "sub/deep/large"), "x".repeat(3_000_000));
  writeFileSync(join(data, "sub/deep/none"), "");
  for (let index = 0; index < 100; index += 1)
    writeFileSync(join(data, `many${index}`), `${index}`);
  chownSync(data, 3, 4);
  chmodSync(data, 0o750);
}

const survey =
  "cd /data; find . | sort | xargs stat -c '%n %f %u:%g %h %t:%T'; find . -type f | sort | xargs cat | md5sum; for name in link dangling to-root; do readlink $name; done; grep ' /data ' /proc/self/mountinfo | cut -d' ' -f4-";

if (runc === undefined) console.log("skip: beside runc: it is not installed");
(runc === undefined ? test.skip : test)("the copy looks as runc's", () => {
  for (const options of [[], ["ro"], ["size=8m", "mode=751"]]) {
    const mounts = [{ ...tmpfs, options: [...tmpfs.options, ...options] }];
    const bundle = makeBundle(fillOrdinary, { script: survey, mounts });
    // runc 1.1.5 gives the root of the tmpfs the mode of what it covers, whatever the option says.
    if (options.includes("mode=751")) chmodSync(join(bundle.rootfs, "data"), 0o751);
    const theirs = room.runtime("runc", ["run", "-b", bundle.directory, room.newId()]);
    assert.is(theirs.status, 0, theirs.stderr);
    assert.is(run(bundle), theirs.stdout);
  }
});

test("the original stays as it was, whatever is done to the copy, mounts below it included", () => {
  const below = { destination: "/data/sub", type: "tmpfs", options: ["mode=700"] };
  const bundle = makeBundle(fillOrdinary, {
    script: "echo changed > /data/file; rm /data/link; ls /data/sub; cat /data/file",
    mounts: [tmpfs, below],
  });
  assert.is(run(bundle), "changed\n");
  const data = join(bundle.rootfs, "data");
  assert.ok(readdirSync(data).includes("link"));
  assert.equal(readdirSync(join(data, "sub")), ["deep"]);
});

test("what an earlier mount shows there is copied, and what is not there leaves it empty", () => {
  const volume = join(room.directory, "volume");
  mkdirSync(volume);
  writeFileSync(join(volume, "of-volume"), "");
  const bind = { destination: "/data/sub", type: "bind", source: volume, options: ["bind"] };
  const missing = { ...tmpfs, destination: "/not/there" };
  const bundle = makeBundle((data) => mkdirSync(join(data, "sub")), {
    script: "ls /data/sub; ls -a /not/there | wc -l",
    mounts: [bind, tmpfs, missing],
  });
  assert.is(run(bundle), "of-volume\n2\n");
});

test("directories keep all bits of their mode, which runc takes from the umask and without setgid", () => {
  const fill = (data: string): void => {
    mkdirSync(join(data, "sub"));
    chmodSync(join(data, "sub"), 0o3777);
  };
  assert.is(run(makeBundle(fill, { script: "stat -c %a /data/sub" })), "3777\n");
});

test("in a user namespace owners are the container's", () => {
  const fill = (data: string): void => {
    writeFileSync(join(data, "file"), "contents");
    chownSync(join(data, "file"), 100_005, 100_006);
    writeFileSync(join(data, "suid"), "");
    chownSync(join(data, "suid"), 100_000, 100_000);
    chmodSync(join(data, "suid"), 0o6755);
  };
  const script = "stat -c '%u:%g %f' /data/*; cat /data/file";
  const bundle = makeBundle(fill, { script, user: 100_000 });
  assert.is(run(bundle), "5:6 81a4\n0:0 8ded\ncontents");
});

test("nodes are made and not opened, and names are bytes", () => {
  const fill = (data: string): void => {
    const made = [
      ["mkfifo", "-m", "620", join(data, "fifo")],
      ["mknod", "-m", "640", join(data, "null"), "c", "1", "3"],
      ["mknod", "-m", "600", join(data, "disk"), "b", "7", "1000"],
      ["sh", "-c", `: > ${data}/$(printf 'caf\\351'); : > '${data}/two\nlines'; : > ${data}/...`],
    ];
    for (const command of made) assert.is(runBriefly(command).status, 0);
  };
  const names = Buffer.from(".../caf\xe9/disk/fifo/null/two\nlines/", "latin1");
  const script =
    "cd /data; stat -c '%n %f %t:%T' disk fifo null; printf '%s/' ...* * | od -An -tx1 | tr -d ' \\n'";
  const bundle = makeBundle(fill, { script });
  assert.is(run(bundle), `disk 6180 7:3e8\nfifo 1190 0:0\nnull 21a0 1:3\n${names.toString("hex")}`);
});

test("links of a hostile image lead nowhere: they are copied as links, the host's files stay unread", () => {
  const secret = join(room.directory, "secret");
  writeFileSync(secret, "of the host");
  const fill = (data: string): void => {
    symlinkSync(secret, join(data, "file"));
    symlinkSync("../../../../../../../../etc", join(data, "etc"));
    symlinkSync("/proc/self/root", join(data, "root"));
  };
  const bundle = makeBundle(fill, {
    script: "for name in file etc root; do readlink /data/$name; done; cat /data/file",
  });
  const { stdout, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  assert.is(stdout, `${secret}\n../../../../../../../../etc\n/proc/self/root\n`);
  assert.match(stderr, /No such file/);
});

test("a tmpfs that is too small, and a tree that is too deep, fail with the file's name, and nothing is left", () => {
  const small = { ...tmpfs, options: ["tmpcopyup", "size=64k"] };
  const full = makeBundle(fillOrdinary, { script: "true", mounts: [small] });
  assert.match(
    fail(full),
    /error mounting \\"tmpfs\\" to rootfs at \\"\/data\\": tmpcopyup: failed to copy \/data\/\S+: \w+: no space left on device/,
  );
  const dig = (data: string): void => {
    const levels = "d/".repeat(420);
    assert.is(runBriefly(["mkdir", "-p", join(data, levels)]).status, 0);
  };
  assert.match(fail(makeBundle(dig, { script: "true" })), /(d\/)+d: more than 400 levels/);
});

test("while a neighbour swaps directories and links below it, the copy holds nothing of the host", async () => {
  const outside = join(room.directory, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "of the host");
  const fill = (data: string): void => {
    for (const name of ["a", "b"]) {
      mkdirSync(join(data, name));
      writeFileSync(join(data, name, "secret"), "of the image");
    }
    writeFileSync(join(data, "file"), "of the image");
    symlinkSync(outside, join(data, "away"));
    symlinkSync(join(outside, "secret"), join(data, "far"));
  };
  const script = "find /data -type f | xargs cat";
  const bundle = makeBundle(fill, { script });
  const data = join(bundle.rootfs, "data");
  const swap =
    "while :; do mv -T a c; mv -T away a; mv -T a away; mv -T c a; mv -T file f; mv -T far file; mv -T file far; mv -T f file; done 2>/dev/null";
  const swapper = Bun.spawn(["sh", "-c", swap], {
    cwd: data,
    stdio: ["ignore", "ignore", "ignore"],
  });
  try {
    let ran = 0;
    for (let tries = 0; tries < 25; tries += 1) {
      const { status, stdout, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
      assert.not.match(stdout, "of the host");
      if (status === 0) ran += 1;
      else assert.match(stderr, /tmpcopyup: failed to copy \/data|No such file/);
    }
    assert.ok(ran > 0, "it never ran");
  } finally {
    swapper.kill("SIGKILL");
    await swapper.exited;
  }
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
