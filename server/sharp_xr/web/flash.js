// Motion to photon, measured by what the canvas shows: the head makes a step, and the time is taken until the
// picture has changed by half of what it changes in the end. First with frames shown as they were drawn, so that
// only a new one from the server changes anything; then with the warp, which answers by itself. The screen's own
// delay comes on top: no page can see it.

import { percentile } from "./statistics.js";

const STEPS = 5; // of each way
const STEP_RAD = 0.12;
// Without a change: the server has sharpened the picture, and all but sleeps.
const REST_MS = 350;
const REST_TURNS = 2; // of the display, which may be slow
const QUIET = 0.5; // less is no change: mean of all pixels, of 255
const PATIENCE_MS = 10_000; // with one step
const LEAST_CHANGE = 3; // by a step; likewise

/**
 * @typedef {{frames: number[], warp: number[]}} Result Milliseconds of each step: until a new frame, by the warp.
 * @typedef {object} Watched What is measured, see stage.js.
 * @property {boolean} isHeld
 * @property {() => Uint8Array | null} look
 * @property {object | null} headShown
 */

export class Flash {
  #head;
  #stage;
  #tell;
  #clock;
  /** @type {Result} */
  #taken = { frames: [], warp: [] };
  /** @type {{at: number, seen: Uint8Array}[]} */
  #looks = []; // at the picture before the step, and at each one that differs from the one before it
  #began = 0; // when the head was put where it is
  #quietTurns = 0; // since the last look
  #isDue = false; // the next step
  #isStep = false; // whether the head was put there from rest
  #yaw = 0;
  #placed = ""; // where the head was put
  isRunning = false;
  /** @type {Result | null} */
  result = null; // of the last run, if it came to its end

  /**
   * @param {object} parts
   * @param {import("./head.js").Head} parts.head
   * @param {Watched} parts.stage
   * @param {(sentence: string) => void} parts.tell hears when it begins, and what came of it
   * @param {() => number} [parts.clock]
   */
  constructor({ head, stage, tell, clock = () => performance.now() }) {
    this.#head = head;
    this.#stage = stage;
    this.#tell = tell;
    this.#clock = clock;
  }

  /** Begins, or gives up what it has begun. */
  toggle() {
    if (this.isRunning) return this.#end("Stopped.");
    this.isRunning = true;
    this.result = null;
    this.#taken = { frames: [], warp: [] };
    this.#stage.isHeld = true;
    this.#isStep = false;
    this.#looks = [];
    this.#turn(0);
    this.#tell(`Measuring: the head turns ${2 * STEPS} times. Keep your hands off it…`);
  }

  /** At the beginning of each turn of the display: a browser tells of motions just before it. */
  move() {
    if (!this.#isDue) return;
    this.#isDue = false;
    this.#isStep = true;
    this.#looks = this.#looks.slice(-1);
    this.#turn(this.#yaw === 0 ? STEP_RAD : 0);
  }

  /** Instead of stage.paint(), while it is running. */
  look() {
    const seen = this.#stage.look();
    const now = this.#clock(); // its pixels have been read, so it has been drawn
    if (seen === null) {
      this.#end("There is no picture to measure with. Open a scene first.");
    } else if (this.#headNow() !== this.#placed) {
      this.#end("Stopped: the head was moved. It must keep still while this measures.");
    } else if (this.#isAtRest(seen, now)) {
      this.#take();
    } else if (now - this.#began > PATIENCE_MS) {
      this.#end(
        this.#isThere()
          ? "The picture does not come to rest, so that no change can be told from others."
          : "The server does not answer.",
      );
    }
  }

  /**
   * Whether the picture of this pose is there, and does not change any more.
   * @param {Uint8Array} seen
   * @param {number} now
   */
  #isAtRest(seen, now) {
    const last = this.#looks.at(-1);
    if (!last || changeOf(last.seen, seen) > QUIET) {
      this.#looks.push({ at: now, seen });
      this.#quietTurns = 0;
      return false;
    }
    if (!this.#isThere()) return false;
    this.#quietTurns += 1;
    return this.#quietTurns >= REST_TURNS && now - Math.max(last.at, this.#began) >= REST_MS;
  }

  /** What the last step came to, then the next one. */
  #take() {
    const { frames, warp } = this.#taken;
    if (this.#isStep) {
      const at = changedAt(this.#looks);
      if (at === null) {
        return this.#end("A step of the head changes too little here. Try it with another scene.");
      }
      (this.#stage.isHeld ? frames : warp).push(at - this.#began);
    }
    this.#stage.isHeld = frames.length < STEPS;
    this.#isDue = true;
    if (warp.length < STEPS) return;
    this.result = this.#taken;
    this.#end(sentenceOf(this.#taken));
  }

  /** @param {string} sentence */
  #end(sentence) {
    this.isRunning = false;
    this.#isDue = false;
    this.#stage.isHeld = false;
    this.#head.recentre();
    this.#tell(sentence);
  }

  /** @param {number} yaw */
  #turn(yaw) {
    this.#yaw = yaw;
    this.#head.stopSway();
    this.#head.place({ yaw });
    this.#placed = this.#headNow();
    this.#began = this.#clock();
    this.#quietTurns = 0;
  }

  #headNow() {
    return JSON.stringify(this.#head.pose.head);
  }

  #isThere() {
    return JSON.stringify(this.#stage.headShown) === this.#placed;
  }
}

/**
 * When the picture had changed by half of what it changed in the end, which sharpening never does; null where
 * that is too little to tell.
 * @param {{at: number, seen: Uint8Array}[]} looks
 */
export function changedAt(looks) {
  const [{ seen: first }] = looks;
  const inTheEnd = changeOf(first, looks[looks.length - 1].seen);
  if (inTheEnd < LEAST_CHANGE) return null;
  return looks.find(({ seen }) => changeOf(first, seen) >= inTheEnd / 2)?.at ?? null;
}

/**
 * Mean difference of two pictures, 0 to 255.
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
export function changeOf(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

/** @param {Result} result */
export function sentenceOf({ frames, warp }) {
  const [frame, warped] = [frames, warp].map((steps) => Math.round(percentile(steps, 0.5) ?? 0));
  const [least, most] = [Math.min(...frames), Math.max(...frames)].map(Math.round);
  return (
    `A step of the head changed the picture after ${warped} ms by the warp, ` +
    `after ${frame} ms (${least} to ${most}) by a new frame. The screen's own delay comes on top.`
  );
}
