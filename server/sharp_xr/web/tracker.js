// The uplink: at the display's rate, where the head is and what its eyes shall see.

import { KeyClock } from "./clock.js";
import { aspectOf, eyesOf } from "./optics.js";

const AWAKE_MS = 1000; // full rate for so long after the last movement
const ASLEEP_EVERY_MS = 200; // then only so often, for the server's comfort

export class Tracker {
  #keys = new KeyClock();
  #head;
  #history;
  #connection;
  #scene = null;
  #ack = null; // key of the newest decoded frame
  #lastMoved = -Infinity;
  #lastSent = -Infinity;

  constructor({ head, history, connection }) {
    this.#head = head;
    this.#history = history;
    this.#connection = connection;
  }

  // From now on the eyes look at this scene; null: nowhere.
  enter(scene) {
    this.#scene = scene;
    this.wake();
  }

  // Full rate again, though the head does not move.
  wake() {
    this.#lastMoved = performance.now();
  }

  acknowledge(key) {
    this.#ack = key;
  }

  // Once per display frame, with performance.now().
  advance(now) {
    if (!this.#head.isStill) this.#lastMoved = now;
    const isAsleep = now - this.#lastMoved > AWAKE_MS;
    if (isAsleep && now - this.#lastSent < ASLEEP_EVERY_MS) return;
    const isReady = this.#scene && this.#connection.state === "live" && !this.#connection.isFull;
    if (!isReady) return;
    this.#lastSent = now;
    this.#send(now);
  }

  #send(now) {
    const { head, velocity } = this.#head.pose;
    const eyes = eyesOf(this.#scene, head.position);
    const key = this.#keys.next(now);
    const time_ns = BigInt(Math.round(now * 1e6));
    this.#history.remember(key, { at: now, head, aspect: aspectOf(this.#scene) });
    this.#connection.send({ type: "tracking", key, time_ns, head, eyes, velocity, ack: this.#ack });
  }
}
