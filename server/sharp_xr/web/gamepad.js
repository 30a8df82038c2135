// A gamepad in the hands: the left stick leans sideways and comes closer, the right one turns the head, triggers go
// down and up, shoulder buttons tilt; the cross goes to the next scene, the lower button or a stick's
// goes back to the middle. Those of a headset are not among these: see xrinput.js.

/** @typedef {import("./head.js").Head} Head */
/** @typedef {{readonly axes: readonly number[], readonly buttons: readonly {value: number, pressed: boolean}[]}} Pad */

const SPEED = 0.9; // reaches of the head per second, at a stick's end; as the keys
const TURN_SPEED = 0.6; // radians per second
const REST = 0.15; // worn sticks do not come back to nought

// https://w3c.github.io/gamepad/#remapping
const STANDARD = {
  recentre: [0, 10, 11],
  tiltLeft: 4,
  tiltRight: 5,
  down: 6,
  up: 7,
  earlier: 14,
  later: 15,
};

/**
 * How the head moves by what is held.
 * @param {Pad} pad of the standard mapping
 * @param {number} seconds since the last call
 * @param {number} reach of the head, in metres
 */
export function padMove({ axes, buttons }, seconds, reach) {
  const [right, back] = outOfRest(axes[0], axes[1]);
  const [turn, nod] = outOfRest(axes[2], axes[3]);
  const held = (/** @type {number} */ index) => buttons[index]?.value ?? 0;
  const [step, angle] = [SPEED * reach * seconds, TURN_SPEED * seconds];
  return {
    x: right * step,
    y: (held(STANDARD.up) - held(STANDARD.down)) * step,
    z: back * step,
    yaw: -turn * angle,
    pitch: -nod * angle, // away from oneself is negative, and looks up
    roll: (held(STANDARD.tiltLeft) - held(STANDARD.tiltRight)) * angle,
  };
}

// A stick, as a vector, with nothing where it rests and its whole length at its end.
function outOfRest(x = 0, y = 0) {
  const length = Math.hypot(x, y);
  const share = Math.max(0, Math.min(length, 1) - REST) / (1 - REST);
  return length > 0 ? [(x / length) * share, (y / length) * share] : [0, 0];
}

export class Gamepads {
  #head;
  #onStep;
  #read;
  /** @type {Map<number, Set<number>>} */
  #down = new Map(); // buttons that were down, by the pad's index

  /**
   * @param {object} parts
   * @param {Head} parts.head
   * @param {(way: number) => void} parts.onStep another scene is wanted: -1 or 1
   * @param {() => readonly (Gamepad | null)[]} [parts.read]
   */
  constructor({ head, onStep, read = () => navigator.getGamepads?.() ?? [] }) {
    this.#head = head;
    this.#onStep = onStep;
    this.#read = read;
  }

  /** Moves the head by what is held, `seconds` after the last call. @param {number} seconds */
  advance(seconds) {
    for (const pad of this.#read()) {
      if (!pad?.connected || pad.mapping !== "standard") continue;
      const move = padMove(pad, seconds, this.#head.reach);
      if (Object.values(move).some((value) => value !== 0)) this.#head.move(move);
      for (const button of this.#pressed(pad)) this.#act(button);
    }
  }

  // Buttons that went down since the last call.
  /** @param {Gamepad} pad */
  #pressed({ index, buttons }) {
    const before = this.#down.get(index);
    const down = new Set(buttons.flatMap(({ pressed }, button) => (pressed ? [button] : [])));
    this.#down.set(index, down);
    return before ? [...down].filter((button) => !before.has(button)) : []; // held since before: not pressed now
  }

  /** @param {number} button */
  #act(button) {
    if (STANDARD.recentre.includes(button)) this.#head.recentre();
    else if (button === STANDARD.earlier) this.#onStep(-1);
    else if (button === STANDARD.later) this.#onStep(1);
  }
}
