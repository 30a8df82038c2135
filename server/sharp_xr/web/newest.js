// Sends a value that changes faster than it can be sent: one at a time, not more often than every `everyMs`,
// and always the newest; what was overtaken is never sent.

export class Newest {
  #send;
  #everyMs;
  #waiting = null; // {value}
  isBusy = false; // also until the pause after the last one is over

  // `send(value)` returns a promise.
  constructor(send, everyMs) {
    this.#send = send;
    this.#everyMs = everyMs;
  }

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

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
