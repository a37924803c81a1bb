// Where mounts end up: behind links of the image, some of which lead to nothing yet, over and below each other, and while
// somebody swaps what is on the way. Beside runc where it has the same answer. Needs root.

import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runc } from "../cli/executable.ts";
import { type Bundle, openRoom, type RuntimeName, slowness } from "../support/room.ts";

const test = suite("kernel/mounts-places");
const room = openRoom("mounts-places");
const proc = { destination: "/proc", type: "proc", source: "proc" };
const volume = join(room.directory, "volume");
mkdirSync(volume);
writeFileSync(join(volume, "file"), "of the volume");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;

function tmpfs(destination: string, ...options: readonly string[]): object {
  return { destination, type: "tmpfs", source: "tmpfs", options };
}

function bind(destination: string, source = volume): object {
  return { destination, type: "bind", source, options: ["bind"] };
}

type Links = Readonly<Record<string, string>>;

function makeBundle(links: Links, mounts: readonly object[], script: string): Bundle {
  const bundle = room.makeBundle({
    mounts: [proc, ...mounts],
    process: { args: ["sh", "-c", script] },
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }] },
  });
  symlinkSync("busybox", join(bundle.rootfs, "bin/find"));
  for (const [link, target] of Object.entries(links)) {
    mkdirSync(dirname(join(bundle.rootfs, link)), { recursive: true });
    symlinkSync(target, join(bundle.rootfs, link));
  }
  return bundle;
}

/** Where mounts are, and what of the image is there with what mode. */
const survey =
  "cut -d' ' -f5-6 /proc/self/mountinfo; find / -xdev | grep -Ev '^/(bin|proc|dev)' | sort | while read name; do stat -c '%n %f %s' $name; done";

/** What a fresh bundle's program has seen under a runtime. */
function look(runtime: RuntimeName, links: Links, mounts: readonly object[]): string {
  const { directory } = makeBundle(links, mounts, survey);
  const { status, stdout, stderr } = room.runtime(runtime, ["run", "-b", directory, room.newId()]);
  assert.is(status, 0, stderr);
  return stdout;
}

const dangling: Readonly<Record<string, readonly [Links, readonly object[]]>> = {
  "a relative link": [{ "/link": "made/here" }, [tmpfs("/link")]],
  "an absolute link, which is the container's": [{ "/link": "/made/here" }, [bind("/link")]],
  "a link to a file": [{ "/link": "/made/file" }, [bind("/link", join(volume, "file"))]],
  "links to links": [{ "/link": "sub/other", "/sub/other": "../made" }, [bind("/link")]],
  "a link on the way": [{ "/link": "/made" }, [bind("/link/below/it", join(volume, "file"))]],
  "a link to outside": [{ "/link": "../../../../../../../../tmp/here" }, [bind("/link")]],
  "two links, one mount below the other": [
    { "/link": "/made/a", "/other": "/made/a/b" },
    [tmpfs("/link"), bind("/other")],
  ],
};
for (const [what, [links, mounts]] of Object.entries(dangling)) {
  beside(`${what} that leads to nothing is a mount point, as with runc`, () => {
    assert.is(look("ts-runc", links, mounts), look("runc", links, mounts));
  });
}

test("links that lead in a circle, through files, or through proc's own links are refused", () => {
  const hostile: readonly (readonly [Links, RegExp])[] = [
    [{ "/link": "/other", "/other": "/link" }, /too many levels of symbolic links/],
    [{ "/link": "/bin/busybox/below" }, /not a directory/],
    [{ "/link": "/proc/self/root/made" }, /too many levels of symbolic links/],
    [{ "/link": "d/".repeat(300) }, /more than 255 names in a symbolic link/],
    [
      Object.fromEntries(
        Array.from({ length: 60 }, (_, at) => [`/link${at === 0 ? "" : at}`, `link${at + 1}`]),
      ),
      /too many levels of symbolic links/,
    ],
  ];
  for (const [links, error] of hostile) {
    const { directory } = makeBundle(links, [tmpfs("/link")], "true");
    const { status, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
    assert.is(status, 1);
    assert.match(stderr, error);
    assert.match(stderr, /error mounting \\"tmpfs\\" to rootfs at \\"\/link\\"/);
  }
});

test("nothing is made outside while a neighbour swaps directories for links on the way", async () => {
  const outside = join(room.directory, "outside");
  mkdirSync(outside);
  const links = { "/way/away": outside, "/link": "/way/place/made/below" };
  const { directory, rootfs } = makeBundle(
    links,
    [bind("/link"), tmpfs("/way/place/other")],
    "true",
  );
  mkdirSync(join(rootfs, "way/place"));
  const swap = `while :; do mv -T place kept; mv -T away place; mv -T place away; rm -rf kept/made kept/other; mv -T kept place; done 2>/dev/null`;
  const swapper = Bun.spawn(["sh", "-c", swap], {
    cwd: join(rootfs, "way"),
    stdio: ["ignore", "ignore", "ignore"],
  });
  try {
    for (let tries = 0; tries < (slowness === 1 ? 40 : 5); tries += 1) {
      room.tsRunc(["run", "-b", directory, room.newId()]);
      assert.equal(readdirSync(outside), []);
    }
  } finally {
    swapper.kill("SIGKILL");
    await swapper.exited;
  }
  // The absolute link is the container's: what it leads to may have been made in there.
  assert.not.ok(existsSync(join(outside, "made")));
});

test("a read-only tmpfs is read-only itself, and not what lies over it", () => {
  const mounts = [
    tmpfs("/mnt", "ro"),
    tmpfs("/mnt/below"),
    tmpfs("/mnt"),
    tmpfs("/opt", "ro", "size=64k", `mpol=bind:${"0,".repeat(130)}0`),
    tmpfs("/opt/below"),
  ];
  const script = "grep -E ' /(mnt|opt)' /proc/self/mountinfo | cut -d' ' -f5-6; touch /mnt/new";
  const { directory } = makeBundle({}, mounts, script);
  const { status, stdout, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.is(
    stdout,
    "/mnt ro,relatime\n/mnt/below rw,relatime\n/mnt rw,relatime\n/opt ro,relatime\n/opt/below rw,relatime\n",
  );
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
