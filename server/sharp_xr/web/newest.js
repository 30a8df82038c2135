// Sends a value that changes faster than it can be sent: one at a time, not more often than every `everyMs`,
// and always the newest; what was overtaken is never sent.

/** @template T */
export class Newest {
  #send;
  #everyMs;
  /** @type {{value: T} | null} */
  #waiting = null;
  isBusy = false; // also until the pause after the last one is over

  /**
   * @param {(value: T) => Promise<unknown>} send
   * @param {number} everyMs
   */
  constructor(send, everyMs) {
    this.#send = send;
    this.#everyMs = everyMs;
  }

  /** @param {T} value */
  put(value) {
    this.#waiting = { value };
    if (!this.isBusy) this.#run();
  }

  get isWaiting() {
    return this.#waiting !== null;
  }

  async #run() {
    this.isBusy = true;
    try {
      while (this.#waiting) {
        const { value } = this.#waiting;
        this.#waiting = null;
        await Promise.all([this.#send(value), pause(this.#everyMs)]);
      }
    } finally {
      this.isBusy = false;
    }
  }
}

const pause = (/** @type {number} */ milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
