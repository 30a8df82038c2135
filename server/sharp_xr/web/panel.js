// The panel of figures: what the stream does, and what draws it.

import { count, fixed, percent } from "./format.js";
import { BitrateMeter } from "./statistics.js";

const EVERY_MS = 500;

export class Panel {
  #bitrate = new BitrateMeter();
  #timer = null;

  // read() gives what is to be shown: {summary, isStill, inbound, eyeSize, welcome, scene, times}.
  constructor({ element, button, read }) {
    this.element = element;
    this.button = button;
    this.read = read;
    button.addEventListener("click", () => this.toggle());
  }

  toggle() {
    const open = this.element.hidden;
    this.element.hidden = !open;
    this.button.setAttribute("aria-pressed", open ? "true" : "false");
    clearInterval(this.#timer);
    if (!open) return;
    this.#timer = setInterval(() => this.#update(), EVERY_MS);
    this.#update();
  }

  async #update() {
    const state = await this.read();
    const bytes = state.inbound?.bytesReceived ?? null;
    const bits = bytes === null ? null : this.#bitrate.read(bytes, performance.now());
    for (const [name, value] of Object.entries(figures(state, bits))) {
      this.element.querySelector(`[data-figure=${name}]`).textContent = value;
    }
  }
}

// Text for every figure of the panel, by its name in the page.
export function figures({ summary, isStill, inbound, eyeSize, welcome, scene, times }, bits) {
  const [width, height] = eyeSize;
  return {
    // While the head rests, the server sends a frame a second, which says nothing about its speed.
    fps: isStill && summary.fps !== null ? "still" : fixed(summary.fps, 0),
    bitrate: bits === null ? fixed(null) : fixed(bits / 1e6, 1, " Mbit/s"),
    latency: `${fixed(summary.median, 0)} / ${fixed(summary.p95, 0, " ms")}`,
    matched: percent(summary.matchedShare),
    resolution: width ? `2 × ${width} × ${height}` : fixed(null),
    lost: inbound ? `${inbound.framesDropped ?? 0} / ${inbound.packetsLost ?? 0}` : fixed(null),
    server: times
      ? `${fixed(times.pose_wait_ms, 0)} + ${fixed(times.render_ms, 0)} + ${fixed(times.encode_ms, 0, " ms")}`
      : fixed(null),
    renderer: welcome?.renderer ?? fixed(null),
    model: scene?.model ?? welcome?.model ?? fixed(null),
    gaussians: scene ? count(scene.gaussians) : fixed(null),
  };
}
