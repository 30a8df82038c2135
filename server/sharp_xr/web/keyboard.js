// Keys: held ones move the head, single ones do something once.

const SPEED = 0.9; // reaches of the head per second
const TURN_SPEED = 0.6; // radians per second

/** @typedef {import("./head.js").Move} Move */

/** @type {Record<string, Move>} By KeyboardEvent.code. */
const LEAN = {
  ArrowLeft: { x: -1 },
  ArrowRight: { x: 1 },
  ArrowUp: { y: 1 },
  ArrowDown: { y: -1 },
  KeyA: { x: -1 },
  KeyD: { x: 1 },
  KeyW: { z: -1 },
  KeyS: { z: 1 },
};
/** @type {Record<string, Move>} */
const TURN = {
  ArrowLeft: { yaw: 1 },
  ArrowRight: { yaw: -1 },
  ArrowUp: { pitch: 1 },
  ArrowDown: { pitch: -1 },
  KeyA: { yaw: 1 },
  KeyD: { yaw: -1 },
};
/** @type {Record<string, Move>} */
const TILT = { KeyQ: { roll: 1 }, KeyE: { roll: -1 } };

export class Keyboard {
  /** @type {Set<string>} */
  #held = new Set(); // KeyboardEvent.code: the place of a key, the same on every layout
  /** @type {Set<string>} */
  #fresh = new Set(); // pressed since the last turn: they move the head even if they are let go before the next
  #turning = false;

  /**
   * @param {Window} target
   * @param {Pick<import("./head.js").Head, "move" | "reach">} head
   * @param {Record<string, () => void>} actions what a key ("r", "1") does once
   */
  constructor(target, head, actions) {
    this.head = head;
    target.addEventListener("keydown", (event) => this.#down(event, actions));
    target.addEventListener("keyup", (event) => this.#up(event));
    target.addEventListener("blur", () => {
      this.#held.clear();
      this.#fresh.clear();
    });
  }

  /**
   * Moves the head by what is held.
   * @param {number} seconds since the last call
   */
  advance(seconds) {
    const pressed = new Set([...this.#held, ...this.#fresh]);
    this.#fresh.clear();
    if (pressed.size) this.head.move(heldMove(pressed, this.#turning, seconds, this.head.reach));
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Record<string, () => void>} actions
   */
  #down(event, actions) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
    this.#turning = event.shiftKey;
    if (moves(event.code)) {
      if (!this.#held.has(event.code)) this.#fresh.add(event.code);
      this.#held.add(event.code);
      event.preventDefault(); // arrows would scroll
      return;
    }
    const action = actions[event.key.toLowerCase()];
    if (action && !event.repeat) action();
  }

  /** @param {KeyboardEvent} event */
  #up(event) {
    this.#turning = event.shiftKey;
    this.#held.delete(event.code);
  }
}

/** @param {string} code */
function moves(code) {
  return code in LEAN || code in TILT;
}

/**
 * A field takes every key, a slider those that move it.
 * @param {KeyboardEvent} event
 */
function isTaken({ target, key }) {
  const on = /** @type {Partial<Element> | null} */ (target); // a window has no closest()
  if (on?.closest?.("input[type=range]")) return /^(Arrow|Page|Home|End)/.test(key);
  return Boolean(on?.closest?.("input, textarea, select"));
}

/**
 * @param {Set<string>} held
 * @param {boolean} turning
 * @param {number} seconds
 * @param {number} reach of the head, metres
 */
export function heldMove(held, turning, seconds, reach) {
  const sum = { x: 0, y: 0, z: 0, yaw: 0, pitch: 0, roll: 0 };
  for (const code of held) {
    const way = TILT[code] ?? (turning ? TURN[code] : undefined) ?? LEAN[code];
    for (const [axis, sign] of Object.entries(way)) {
      const isWay = axis === "x" || axis === "y" || axis === "z";
      const speed = isWay ? SPEED * reach : TURN_SPEED;
      sum[/** @type {import("./head.js").Axis} */ (axis)] += sign * speed * seconds;
    }
  }
  return sum;
}
