// What was sent with each key: a decoded frame looks up here for which pose it was drawn.

const CAPACITY = 600; // ten seconds of a 60 Hz display

/** @template T */
export class PoseHistory {
  /** @type {Map<number, T>} */
  #entries = new Map(); // oldest first

  /**
   * @param {number} key
   * @param {T} entry
   */
  remember(key, entry) {
    this.#entries.set(key, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > CAPACITY) this.#entries.delete(oldest);
  }

  /**
   * The entry of exactly this frame, or null.
   * @param {number} key
   * @returns {T | null}
   */
  find(key) {
    return this.#entries.get(key) ?? null;
  }

  get newest() {
    return [...this.#entries.values()].at(-1) ?? null;
  }

  clear() {
    this.#entries.clear();
  }
}
