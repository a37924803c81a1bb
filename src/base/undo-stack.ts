// What has to be taken back when something fails later: a DisposableStack that is compiled when ts-runc is built, and not, as the
// engine's own is, in every process that uses one, which takes as long as planning five mounts.

/** Disposes what it was given, in reverse; once. */
export class UndoStack implements Disposable {
  private actions: (() => void)[] = [];

  defer(action: () => void): void {
    this.actions.push(action);
  }

  use<Resource extends Disposable>(resource: Resource): Resource {
    this.defer(() => resource[Symbol.dispose]());
    return resource;
  }

  /**
   * Goes on when an action fails.
   *
   * @throws what the first action that failed has thrown
   */
  dispose(): void {
    const { actions } = this;
    this.actions = [];
    const errors: unknown[] = [];
    for (const action of actions.toReversed()) {
      try {
        action();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
