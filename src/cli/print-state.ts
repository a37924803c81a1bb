// The JSON of `state`, which every caller of a runtime reads; not how the state is found (container/state.ts).

/** A container as `state` and `list` show it. `owner` is a uid in digits, or a name. */
export type ContainerReport = {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
};

/** The report in runc's order of keys, without the annotations where there are none. */
export function orderReport(report: ContainerReport): ContainerReport {
  const { ociVersion, id, pid, status, bundle, rootfs, created, annotations = {}, owner } = report;
  const some = Object.keys(annotations).length > 0 ? { annotations } : {};
  return { ociVersion, id, pid, status, bundle, rootfs, created, ...some, owner };
}

/** The output of `state`: indented by two spaces, owner left empty, no newline at the end; all as runc does. */
export function stateText(report: ContainerReport): string {
  return JSON.stringify(orderReport({ ...report, owner: "" }), undefined, 2);
}
