// The panel of figures: what the stream does, what draws it, and where the age of its frames comes from.

import { count, fixed, percent } from "./format.js";
import { Graph } from "./graph.js";
import { qualityFigures } from "./quality.js";
import { STAGES } from "./stages.js";
import { BitrateMeter, percentile } from "./statistics.js";

const EVERY_MS = 500;
const DRAW_EVERY_MS = 100;

/**
 * @typedef {{fps: number | null, median: number | null, p95: number | null, age: number | null, ageP95: number | null,
 *   matchedShare: number | null}} Summary
 * @typedef {object} State What is to be shown.
 * @property {Summary} summary
 * @property {boolean} isStill
 * @property {{bytesReceived?: number, framesDropped?: number, packetsLost?: number} | null} inbound
 * @property {number[]} eyeSize
 * @property {boolean} isCoarse
 * @property {{renderer: string, model: string} | null} welcome
 * @property {{gaussians: number, model: string} | null} scene
 * @property {import("./quality.js").Told | null} quality
 */

export class Panel {
  #bitrate = new BitrateMeter();
  /** @type {ReturnType<typeof setInterval>[]} */
  #timers = [];
  #graph;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.element
   * @param {HTMLElement} parts.button
   * @param {() => Promise<State>} parts.read
   * @param {import("./stages.js").Stages} parts.stages
   */
  constructor({ element, button, read, stages }) {
    this.element = element;
    this.button = button;
    this.read = read;
    this.stages = stages;
    this.#graph = new Graph(/** @type {HTMLCanvasElement} */ (this.#find("canvas")));
    button.addEventListener("click", () => this.toggle());
  }

  open() {
    if (this.element.hidden) this.toggle();
  }

  /**
   * What the measurement of motion to photon says; it can be stopped while it is running.
   * @param {string} sentence
   * @param {boolean} isRunning
   */
  say(sentence, isRunning) {
    this.#find("[data-part=flash]").textContent = sentence;
    this.#find("#flash-button").textContent = isRunning ? "Stop" : "Measure motion to photon";
  }

  toggle() {
    const open = this.element.hidden;
    this.element.hidden = !open;
    this.button.setAttribute("aria-pressed", open ? "true" : "false");
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    if (!open) return;
    this.#timers = [
      setInterval(() => this.#update(), EVERY_MS),
      setInterval(() => this.#draw(), DRAW_EVERY_MS),
    ];
    this.#update();
    this.#draw();
  }

  async #update() {
    const state = await this.read();
    const bytes = state.inbound?.bytesReceived ?? null;
    const bits = bytes === null ? null : this.#bitrate.read(bytes, performance.now());
    const frames = this.stages.recent(performance.now());
    const all = { ...figures(state, bits), ...qualityFigures(state.quality), ...stageFigures(frames) };
    for (const [name, value] of Object.entries(all)) {
      this.#find(`[data-figure=${name}]`).textContent = value;
    }
  }

  #draw() {
    const now = performance.now();
    this.#graph.draw(this.stages.recent(now), now);
  }

  /** @param {string} selector */
  #find(selector) {
    const found = this.element.querySelector(selector);
    if (!found) throw new Error(`The panel has no ${selector}.`);
    return found;
  }
}

/**
 * Text for every figure of the panel, by its name in the page.
 * @param {State} state
 * @param {number | null} bits per second
 * @returns {Record<string, string>}
 */
export function figures({ summary, isStill, inbound, eyeSize, isCoarse, welcome, scene }, bits) {
  const [width, height] = eyeSize;
  return {
    // While the head rests, the server sends a frame a second, which says nothing about its speed.
    fps: isStill && summary.fps !== null ? "still" : fixed(summary.fps, 0),
    bitrate: bits === null ? fixed(null, 0) : fixed(bits / 1e6, 1, " Mbit/s"),
    latency: `${fixed(summary.median, 0)} / ${fixed(summary.p95, 0, " ms")}`,
    age: `${fixed(summary.age, 0)} / ${fixed(summary.ageP95, 0, " ms")}`,
    matched: percent(summary.matchedShare),
    resolution: width ? `2 × ${width} × ${height}` : fixed(null, 0),
    lost: inbound ? `${inbound.framesDropped ?? 0} / ${inbound.packetsLost ?? 0}` : fixed(null, 0),
    warp: isCoarse ? "coarse" : "full",
    renderer: welcome?.renderer ?? fixed(null, 0),
    model: scene?.model ?? welcome?.model ?? fixed(null, 0),
    gaussians: scene ? count(scene.gaussians) : fixed(null, 0),
  };
}

/**
 * The median of each stage.
 * @param {import("./graph.js").Frame[]} frames
 * @returns {Record<string, string>}
 */
export function stageFigures(frames) {
  return Object.fromEntries(
    STAGES.map((stage) => [
      `stage-${stage}`,
      fixed(percentile(frames.map(({ split }) => split[stage]), 0.5), 1, " ms"),
    ]),
  );
}
