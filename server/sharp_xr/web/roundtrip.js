// How long a message to the server and its answer take: the least of the last ones, because a busy event loop
// on either side only ever adds to it.

const REMEMBERED = 20;

export class RoundTrip {
  /** @type {number[]} */
  #trips = []; // milliseconds

  /**
   * The Ping to send now.
   * @param {number} now performance.now()
   */
  ping(now) {
    return { type: /** @type {const} */ ("ping"), sent_ns: BigInt(Math.round(now * 1e6)) };
  }

  /**
   * Its Pong came.
   * @param {{sent_ns: bigint}} pong
   * @param {number} now
   */
  hear({ sent_ns }, now) {
    this.#trips.push(Math.max(now - Number(sent_ns) / 1e6, 0));
    if (this.#trips.length > REMEMBERED) this.#trips.shift();
  }

  /** Milliseconds of one way; 0 before the first answer. */
  get wayMs() {
    return this.#trips.length ? Math.min(...this.#trips) / 2 : 0;
  }
}
