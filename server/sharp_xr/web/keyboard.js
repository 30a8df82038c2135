// Keys: held ones move the head, single ones do something once.

const SPEED = 0.9; // reaches of the head per second
const TURN_SPEED = 0.6; // radians per second

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
const TURN = {
  ArrowLeft: { yaw: 1 },
  ArrowRight: { yaw: -1 },
  ArrowUp: { pitch: 1 },
  ArrowDown: { pitch: -1 },
  KeyA: { yaw: 1 },
  KeyD: { yaw: -1 },
};
const TILT = { KeyQ: { roll: 1 }, KeyE: { roll: -1 } };

export class Keyboard {
  #held = new Set(); // KeyboardEvent.code: the place of a key, the same on every layout
  #turning = false;

  // `actions` maps a key ("r", "1") to what it does once.
  constructor(target, head, actions) {
    this.head = head;
    target.addEventListener("keydown", (event) => this.#down(event, actions));
    target.addEventListener("keyup", (event) => this.#up(event));
    target.addEventListener("blur", () => this.#held.clear());
  }

  // Moves the head by what is held, `seconds` after the last call.
  advance(seconds) {
    if (this.#held.size) this.head.move(heldMove(this.#held, this.#turning, seconds, this.head.reach));
  }

  #down(event, actions) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
    this.#turning = event.shiftKey;
    if (moves(event.code)) {
      this.#held.add(event.code);
      event.preventDefault(); // arrows would scroll
      return;
    }
    const action = actions[event.key.toLowerCase()];
    if (action && !event.repeat) action();
  }

  #up(event) {
    this.#turning = event.shiftKey;
    this.#held.delete(event.code);
  }
}

function moves(code) {
  return code in LEAN || code in TILT;
}

// A field takes every key, a slider those that move it.
function isTaken({ target, key }) {
  if (target.closest?.("input[type=range]")) return /^(Arrow|Page|Home|End)/.test(key);
  return Boolean(target.closest?.("input, textarea, select"));
}

export function heldMove(held, turning, seconds, reach) {
  const sum = { x: 0, y: 0, z: 0, yaw: 0, pitch: 0, roll: 0 };
  for (const code of held) {
    const way = TILT[code] ?? (turning ? TURN[code] : undefined) ?? LEAN[code];
    for (const [axis, sign] of Object.entries(way)) {
      const speed = ["x", "y", "z"].includes(axis) ? SPEED * reach : TURN_SPEED;
      sum[axis] += sign * speed * seconds;
    }
  }
  return sum;
}
