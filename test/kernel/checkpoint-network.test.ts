// What of a saved container goes over a network: connections that live on, and its memory on the way to where it is restored. By the
// real CRIU, in the machine of test/vm. Needs root.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../../src/base/assert.ts";
import {
  counter,
  countOf,
  findCriuObstacle,
  openCheckpointRoom,
  untilCounted,
} from "../support/checkpoint-room.ts";
import { until } from "../support/room.ts";

const test = suite("kernel/checkpoint-network");
const checkpoints = openCheckpointRoom("checkpoint-network");
const { room, newImages, quietly, start, save, restore, end } = checkpoints;
const obstacle = findCriuObstacle();
if (obstacle !== undefined) console.log(`skip: ${obstacle}`);
const here = obstacle === undefined ? test : test.skip;

/** Has CRIU do its part at the other end of a connection. */
function criu(...argv: readonly string[]) {
  return Bun.spawn(["criu", ...argv], { stdio: ["ignore", "ignore", "ignore"] });
}

async function untilListening(port: number): Promise<void> {
  // Local address, remote address, LISTEN.
  const entry = new RegExp(`:${port.toString(16).toUpperCase()} 0+:0000 0A `);
  await until(() => entry.test(readFileSync("/proc/net/tcp", "utf8")));
}

const filesOfPages = (directory: string): readonly string[] =>
  readdirSync(directory).filter((name) => name.startsWith("pages-"));

here("a connection is saved when that is asked for, and goes on", async () => {
  // A listener whose input ends hangs up.
  const server = "sleep 10000 | nc -l -p 7000 >/tmp/count &";
  const numbers = "i=0; while true; do i=$((i+1)); echo $i; usleep 50000; done";
  const bundle = room.makeBundle({
    process: { args: ["sh", "-c", `${server} sleep 1; ${numbers} | nc 127.0.0.1 7000`] },
  });
  const file = join(bundle.rootfs, "tmp/count");
  const received = (): number =>
    existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
  const id = start(bundle);
  await until(() => received() > 3);
  const plain = ["checkpoint", "--image-path", newImages(), id];
  const said = quietly("ts-runc", plain, { fails: true });
  assert.match(said, "tcp-established", said);
  const before = received();
  await until(() => received() > before);
  const directory = save(id, "--tcp-established");
  const saved = received();
  const restored = restore(bundle, directory, "--tcp-established");
  await until(() => received() > saved + 5);
  const numbered = readFileSync(file, "utf8").trim().split("\n").slice(0, -1).map(Number);
  assert.equal(
    numbered,
    Array.from(numbered, (_, index) => index + 1),
    "nothing is lost",
  );
  await end(restored);
});

here("memory is sent to a page server, and found in its directory", async () => {
  const bundle = room.makeBundle({ process: counter });
  const id = start(bundle);
  await untilCounted(bundle, 3);
  const pages = newImages();
  mkdirSync(pages);
  const address = ["--address", "127.0.0.1", "--port", "7027"];
  const server = criu("page-server", "--images-dir", pages, ...address);
  await untilListening(7027);
  const directory = save(id, "--page-server", "127.0.0.1:7027");
  assert.is(await server.exited, 0);
  assert.equal(filesOfPages(directory), []);
  assert.ok(filesOfPages(pages).length > 0);
  for (const name of readdirSync(pages)) copyFileSync(join(pages, name), join(directory, name));
  const saved = countOf(bundle);
  const restored = restore(bundle, directory);
  assert.ok((await untilCounted(bundle, saved)) > saved);
  await end(restored);
});

here("memory is fetched when it is needed, from the checkpoint that waits for that", async () => {
  const bundle = room.makeBundle({ process: counter });
  const id = start(bundle);
  await untilCounted(bundle, 3);
  const [directory, work] = [newImages(), newImages()];
  mkdirSync(work);
  const options = ["--lazy-pages", "--page-server", "127.0.0.1:7028", "--status-fd", "1"];
  const checkpoint = Bun.spawn(
    room.command("checkpoint", ...options, "--image-path", directory, id),
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  // One NUL byte: the pages can be fetched.
  const { value } = await checkpoint.stdout.getReader().read();
  assert.equal([...present(value, "the status")], [0]);
  const saved = countOf(bundle);
  const place = ["--images-dir", directory, "--work-dir", work];
  const from = ["--page-server", "--address", "127.0.0.1", "--port", "7028"];
  const fetcher = criu("lazy-pages", ...from, ...place);
  await until(() => existsSync(join(work, "lazy-pages.socket")));
  const restored = restore(bundle, directory, "--lazy-pages", "--work-path", work);
  assert.ok((await untilCounted(bundle, saved)) > saved);
  assert.equal([await fetcher.exited, await checkpoint.exited], [0, 0]);
  assert.is(room.state(id), undefined);
  await end(restored);
});

test("nothing is left", checkpoints.close);

test.run();
