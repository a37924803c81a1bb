// Questions about the namespaces that a config asks for; not how they are made.

import type { NamespaceType, Spec } from "./types.ts";

/** How a container comes by a namespace: the runtime's own, a new one, or an existing one at a path. */
export type NamespaceSource =
  | { readonly kind: "inherited" }
  | { readonly kind: "new" }
  | { readonly kind: "joined"; readonly path: string };

/** Where the container's namespace of one type comes from. */
export function namespaceSource(spec: Spec, type: NamespaceType): NamespaceSource {
  const namespace = spec.linux?.namespaces?.filter((entry) => entry.type === type)[0];
  if (namespace === undefined) return { kind: "inherited" };
  const path = namespace.path ?? "";
  return path === "" ? { kind: "new" } : { kind: "joined", path };
}

/** Whether the config lists a namespace of this type. */
export function hasNamespace(spec: Spec, type: NamespaceType): boolean {
  return namespaceSource(spec, type).kind !== "inherited";
}
