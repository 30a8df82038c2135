// The frame key: a 90 kHz clock modulo 2^32, strictly rising. The server uses the key of a pose as the RTP
// timestamp of the frame drawn for it, which is how a decoded frame finds its pose (RFC 3551, section 5).

export const CLOCK_HZ = 90_000;
const SPAN = 2 ** 32;

/**
 * The key of that time.
 * @param {number} milliseconds of performance.now()
 */
export function keyAt(milliseconds) {
  return Math.floor(milliseconds * (CLOCK_HZ / 1000)) % SPAN;
}

/**
 * How far `a` is behind `b` (positive: a is older), across the wrap after 13 hours.
 * @param {number} a
 * @param {number} b
 */
export function ticksBetween(a, b) {
  return (b - a) | 0;
}

export class KeyClock {
  /** @type {number | null} */
  #last = null;

  /**
   * A key later than every earlier one, one tick at least (two poses may fall into the same tick).
   * @param {number} milliseconds
   */
  next(milliseconds) {
    const now = keyAt(milliseconds);
    const last = this.#last;
    const key = last === null || ticksBetween(last, now) > 0 ? now : (last + 1) % SPAN;
    this.#last = key;
    return key;
  }
}
