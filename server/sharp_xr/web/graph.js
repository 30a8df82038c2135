// The latency graph: each shown frame is a column at the time when it was shown, as high as its pose was old
// then, cut into the stages that it spent that age in. What is missing between two columns is a freeze.

import { percentile } from "./statistics.js";
import { STAGES, WINDOW_MS } from "./stages.js";

/** @typedef {import("./stages.js").Split} Split */
/** @typedef {{shownAt: number, split: Split}} Frame */

const WIDEST_MS = 50; // of a column: 20 frames a second have no gaps
const TOPS_MS = [20, 50, 100, 200, 500, 1000, 2000, 5000];

/** @param {Split} split */
const ageOf = (split) => STAGES.reduce((sum, stage) => sum + split[stage], 0);

/**
 * Milliseconds at the upper border: a round number above nearly all frames. A lone one may stick out, so that
 * it does not flatten four seconds of others.
 * @param {Frame[]} frames
 */
export function topFor(frames) {
  const age = percentile(frames.map(({ split }) => ageOf(split)), 0.95) ?? 0;
  return TOPS_MS.find((top) => top >= age) ?? TOPS_MS[TOPS_MS.length - 1];
}

/**
 * Where everything is to be drawn in a picture of that size: {stage, x, y, width, height} from its upper left.
 * @param {Frame[]} frames oldest first
 * @param {number} now
 * @param {number} top
 * @param {{width: number, height: number}} size
 */
export function barsOf(frames, now, top, { width, height }) {
  const xAt = (/** @type {number} */ time) => width * (1 - (now - time) / WINDOW_MS);
  return frames.flatMap(({ shownAt, split }, index) => {
    const next = frames[index + 1]?.shownAt ?? now;
    const x = xAt(shownAt);
    const wide = xAt(shownAt + Math.min(next - shownAt, WIDEST_MS)) - x;
    let low = 0; // milliseconds below the bar
    return STAGES.map((stage) => {
      const [bottom, upper] = [low, low + split[stage]].map((ms) => height * (1 - ms / top));
      low += split[stage];
      return { stage, x, y: upper, width: wide, height: bottom - upper };
    });
  });
}

export class Graph {
  /** @param {HTMLCanvasElement} canvas Has its size, and the colours --stage-pose and so on, by CSS. */
  constructor(canvas) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("This browser draws no graph: it has no 2D canvas.");
    this.canvas = canvas;
    this.context = context;
  }

  /**
   * @param {Frame[]} frames
   * @param {number} now
   */
  draw(frames, now) {
    const { canvas, context } = this;
    const size = { width: canvas.clientWidth, height: canvas.clientHeight };
    const [across, down] = [size.width, size.height].map((side) => Math.round(side * devicePixelRatio));
    if (canvas.width !== across) canvas.width = across;
    if (canvas.height !== down) canvas.height = down;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, across, down);
    const style = getComputedStyle(canvas);
    const top = topFor(frames);
    for (const { stage, x, y, width, height } of barsOf(frames, now, top, { width: across, height: down })) {
      // On whole pixels: else neighbours blend into colours that no stage has.
      const [left, upper, right, lower] = [x, y, x + width, y + height].map(Math.round);
      context.fillStyle = style.getPropertyValue(`--stage-${stage}`);
      context.fillRect(left, upper, Math.max(right - left, 1), lower - upper);
    }
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    this.#scale(top, size, style);
  }

  /**
   * @param {number} top
   * @param {{width: number, height: number}} size
   * @param {CSSStyleDeclaration} style
   */
  #scale(top, { width, height }, style) {
    const { context } = this;
    context.strokeStyle = style.getPropertyValue("--line");
    context.beginPath();
    for (const share of [0, 0.5, 1]) {
      const y = Math.min(Math.max(height * share, 0.5), height - 0.5);
      context.moveTo(0, y);
      context.lineTo(width, y);
    }
    context.stroke();
    context.font = `11px ${style.fontFamily}`;
    context.textBaseline = "top";
    const words = `${top} ms`;
    context.fillStyle = style.getPropertyValue("--raised");
    context.fillRect(0, 1, context.measureText(words).width + 6, 14);
    context.fillStyle = style.color;
    context.fillText(words, 2, 2);
  }
}
