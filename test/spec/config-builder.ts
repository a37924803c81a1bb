// Small configs for the tests of this folder: a valid one, and what a test changes in it.

type Change = Readonly<Record<string, unknown>> & {
  readonly process?: object;
  readonly linux?: object;
};

const namespaces = ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type }));

/** A valid config with some properties replaced, or with `undefined` left out; `process` and `linux` by their members. */
export function makeConfig({ process, linux, ...rest }: Change = {}): unknown {
  const config = {
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    process: { cwd: "/", args: ["sh"], ...process },
    linux: { namespaces, ...linux },
    ...rest,
  };
  return JSON.parse(JSON.stringify(config));
}

/** The namespaces of `makeConfig`, with more. */
export function withNamespaces(
  ...more: readonly { readonly type: string; readonly path?: string }[]
): object {
  return { namespaces: [...namespaces, ...more] };
}
