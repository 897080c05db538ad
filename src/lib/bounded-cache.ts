/** What was made of texts, the latest used ones, as long as the texts are not many characters altogether. */
export class BoundedCache<Value> {
  readonly #most: number;
  readonly #longest: number;
  #values = new Map<string, Value>();
  #characters = 0;

  /** A text longer than `longest` is not kept. */
  constructor({ most, longest }: { most: number; longest: number }) {
    this.#most = most;
    this.#longest = longest;
  }

  get(text: string): Value | undefined {
    const value = this.#values.get(text);
    if (value === undefined) return undefined;
    this.#values.delete(text);
    this.#values.set(text, value);
    return value;
  }

  set(text: string, value: Value): void {
    if (text.length > this.#longest) return;
    this.delete(text);
    this.#values.set(text, value);
    this.#characters += text.length;
    for (const oldest of this.#values.keys()) {
      if (this.#characters <= this.#most) return;
      this.delete(oldest);
    }
  }

  delete(text: string): void {
    if (this.#values.delete(text)) this.#characters -= text.length;
  }
}
