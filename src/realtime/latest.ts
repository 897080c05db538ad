/** So many keys are paced at a time; what comes by others meanwhile is dropped. */
const mostKeys = 256;

/** Newest wins: of each key at most one value per interval is told, the first at once, and always the last. */
export class Latest<Value> {
  readonly #everyMs: number;
  readonly #tell: (value: Value) => void;
  #paced = new Map<string, { next: Value | undefined; timer: NodeJS.Timeout }>();

  constructor(everyMs: number, tell: (value: Value) => void) {
    this.#everyMs = everyMs;
    this.#tell = tell;
  }

  put(key: string, value: Value): void {
    const paced = this.#paced.get(key);
    if (paced) paced.next = value;
    else if (this.#paced.size < mostKeys) this.#pace(key, value);
  }

  close(): void {
    for (const { timer } of this.#paced.values()) clearTimeout(timer);
    this.#paced.clear();
  }

  #pace(key: string, value: Value): void {
    const timer = setTimeout(() => {
      const next = this.#paced.get(key)?.next;
      this.#paced.delete(key);
      if (next !== undefined) this.#pace(key, next);
    }, this.#everyMs);
    this.#paced.set(key, { next: undefined, timer });
    this.#tell(value);
  }
}
