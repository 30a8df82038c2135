// How thoroughly frames are warped: for each pixel where the device has the time, else for one in many. Told by
// how long the display's turns take in which something was drawn, so nobody has to know what graphics there are.

import { percentile } from "./statistics.js";

const SLOW_MS = 25; // a turn: fewer than 40 a second
const LOOKED_AT = 8; // turns; fewer are chance
const HELPS = 0.8; // what less effort must leave of the turn's time: else something else takes it
const FIRST_WAIT_MS = 20_000; // before the other way is tried again; twice as long after each failure
const MOST_WAIT_MS = 600_000;

export class Effort {
  isCoarse;
  #isSettled;
  /** @type {number[]} */
  #turns = []; // milliseconds, since the last change
  #before = { at: 0, drew: false };
  #slowMs = 0; // a turn took, when it was last too slow
  #isOnTrial = false; // whether less effort has yet to help
  #waitMs = FIRST_WAIT_MS;
  #notBefore = 0; // the next change

  /** @param {boolean} isSoftware the processor draws, which never has the time */
  constructor(isSoftware) {
    this.isCoarse = this.#isSettled = isSoftware;
  }

  /**
   * Once per turn of the display.
   * @param {number} now performance.now()
   * @param {boolean} draws whether this turn draws anything
   */
  turned(now, draws) {
    const { at, drew } = this.#before;
    this.#before = { at: now, drew: draws };
    if (!drew || this.#isSettled) return;
    this.#turns.push(now - at);
    if (this.#turns.length < LOOKED_AT) return;
    this.#look(percentile(this.#turns, 0.5) ?? 0, now);
    this.#turns.shift();
  }

  /**
   * @param {number} ms that a turn takes
   * @param {number} now
   */
  #look(ms, now) {
    if (this.#isOnTrial) {
      this.#isOnTrial = false;
      if (ms > HELPS * this.#slowMs) return this.#change(false, now, this.#waitMs);
    }
    if (now < this.#notBefore) return;
    if (!this.isCoarse && ms > SLOW_MS) {
      this.#slowMs = ms;
      this.#isOnTrial = true;
      this.#change(true, now, this.#waitMs);
    } else if (this.isCoarse && ms < SLOW_MS) this.#change(false, now, 0);
  }

  /**
   * @param {boolean} isCoarse
   * @param {number} now
   * @param {number} waitMs until the next one
   */
  #change(isCoarse, now, waitMs) {
    this.isCoarse = isCoarse;
    this.#turns = [];
    this.#notBefore = now + waitMs;
    if (waitMs) this.#waitMs = Math.min(2 * this.#waitMs, MOST_WAIT_MS);
  }
}
