/** What is under way, for who waits until it is done. */
export class Awaited {
  #all = new Set<Promise<void>>();

  /** The answer says that it is done, or never will be. */
  expect(): () => void {
    let resolve = () => {};
    const done = new Promise<void>((settle) => {
      resolve = settle;
    });
    this.#all.add(done);
    return () => {
      this.#all.delete(done);
      resolve();
    };
  }

  /** All that is under way now. */
  async done(): Promise<void> {
    await Promise.all(this.#all);
  }
}
