import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cachedMax, cacheName, findCached, keepCached } from "../../../src/host/seccomp/cache.ts";

const test = suite("host/seccomp/cache");
const program = { program: new Uint8Array(16).fill(7), forbidden: 3 };

/** A state root with one filter in its cache. */
function makeRoot(): Disposable & { readonly root: string; readonly file: string } {
  const directory = mkdtempSync(join(tmpdir(), "cache-"));
  const root = join(directory, "root");
  keepCached(root, "key", program);
  return {
    root,
    file: join(root, cacheName, "key"),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}

test("findCached() finds what keepCached() has kept, under its key only", () => {
  using made = makeRoot();
  assert.equal(findCached(made.root, "key"), program);
  assert.is(findCached(made.root, "another"), undefined);
  assert.is(findCached(made.root, ""), undefined);
  assert.is(findCached(join(made.root, "absent"), "key"), undefined);
});

const spoilers: Readonly<Record<string, (root: string, file: string) => void>> = {
  "others may write the file": (_, file) => chmodSync(file, 0o602),
  "others may write the directory": (root) => chmodSync(join(root, cacheName), 0o722),
  "the file is a link": (_, file) => {
    renameSync(file, `${file}.real`);
    symlinkSync(`${file}.real`, file);
  },
  "the directory is a link": (root) => {
    renameSync(join(root, cacheName), join(root, "real"));
    symlinkSync("real", join(root, cacheName));
  },
  "the file is that of another key": (root, file) => {
    keepCached(root, "another", program);
    renameSync(join(root, cacheName, "another"), file);
  },
  "the file is cut": (_, file) => truncateSync(file, readFileSync(file).byteLength - 8),
  "the file is empty": (_, file) => writeFileSync(file, ""),
  "a bit is another": (_, file) => {
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(file, bytes);
  },
  "the file is a directory": (_, file) => {
    rmSync(file);
    mkdirSync(file);
  },
};

for (const [name, spoil] of Object.entries(spoilers)) {
  test(`what somebody else could have written is not read: ${name}`, () => {
    using made = makeRoot();
    spoil(made.root, made.file);
    assert.is(findCached(made.root, "key"), undefined);
  });
}

test("keepCached() fails in silence where nothing can be kept", () => {
  using made = makeRoot();
  rmSync(join(made.root, cacheName), { recursive: true });
  writeFileSync(join(made.root, cacheName), "");
  keepCached(made.root, "key", program);
  assert.is(findCached(made.root, "key"), undefined);
});

test("keepCached() drops the oldest of many", () => {
  using made = makeRoot();
  for (let index = 0; index < cachedMax + 5; index += 1) {
    keepCached(made.root, `key${index}`, program);
  }
  assert.is(readdirSync(join(made.root, cacheName)).length, cachedMax);
  assert.is(findCached(made.root, "key"), undefined);
  assert.equal(findCached(made.root, `key${cachedMax + 4}`), program);
});

test.run();
