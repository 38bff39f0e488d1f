/** A map with a size limit: beyond it, the entry that was set longest ago is dropped. */
export class BoundedMap<Key, Value> extends Map<Key, Value> {
  readonly #limit: number;

  constructor(limit: number) {
    super();
    this.#limit = limit;
  }

  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.#limit) {
      const oldest = this.keys().next();
      if (!oldest.done) this.delete(oldest.value);
    }
    return this;
  }

  /** Returns the value of the key; if absent, makes and sets it. */
  getOrMake(key: Key, make: (key: Key) => Value): Value {
    const existing = this.get(key);
    if (existing !== undefined || this.has(key)) return existing as Value;
    const value = make(key);
    this.set(key, value);
    return value;
  }
}
