// What was sent with each key: a decoded frame looks up here for which pose it was drawn.

const CAPACITY = 600; // ten seconds of a 60 Hz display

export class PoseHistory {
  #entries = new Map(); // key -> what was sent with it, oldest first

  remember(key, entry) {
    this.#entries.set(key, entry);
    if (this.#entries.size > CAPACITY) this.#entries.delete(this.#entries.keys().next().value);
  }

  // The entry of exactly this frame, or null.
  find(key) {
    return this.#entries.get(key) ?? null;
  }

  clear() {
    this.#entries.clear();
  }
}
