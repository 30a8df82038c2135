// The uplink: at the display's rate, where the head is and what its eyes shall see. Also while nothing moves:
// each pose carries the acknowledgement that the server's rate control lives on, and it draws only what changed.

import { KeyClock } from "./clock.js";
import { eyesOf } from "./optics.js";

export class Tracker {
  #keys = new KeyClock();
  #head;
  #history;
  #connection;
  #scene = null;
  #ack = null; // key of the newest decoded frame

  constructor({ head, history, connection }) {
    this.#head = head;
    this.#history = history;
    this.#connection = connection;
  }

  // From now on the eyes look at this scene; null: nowhere.
  enter(scene) {
    this.#scene = scene;
  }

  acknowledge(key) {
    this.#ack = key;
  }

  // Once per display frame, with performance.now().
  advance(now) {
    if (!this.#scene) return;
    const { head, velocity } = this.#head.pose;
    this.send(now, { head, eyes: eyesOf(this.#scene, head.position), velocity });
  }

  // The same for a head that somebody else follows, as a headset does.
  send(now, { head, eyes, velocity }) {
    if (!this.#scene || this.#connection.state !== "live" || this.#connection.isFull) return;
    const key = this.#keys.next(now);
    const time_ns = BigInt(Math.round(now * 1e6));
    this.#history.remember(key, { at: now, head, eyes, scene: this.#scene });
    this.#connection.send({ type: "tracking", key, time_ns, head, eyes, velocity, ack: this.#ack });
  }
}
