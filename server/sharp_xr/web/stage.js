// Where frames are shown. Every decoded frame is looked up in the pose history by its RTP timestamp and drawn
// as it is; `onFrame` hears what was shown.

import { Painter } from "./painter.js";

export class Stage {
  #video;
  #painter;
  #history;
  #onFrame;
  #aspect = 1; // of one eye, as shown
  #hasFrame = false;
  view = "left";
  swapped = false;

  // `area` is the element that the canvas is fitted into. onFrame({key, sent, at, metadata}) gets what
  // was remembered with the key as `sent`, null for a frame that matches no pose.
  constructor({ area, canvas, video, history, onFrame }) {
    this.area = area;
    this.canvas = canvas;
    this.#video = video;
    this.#history = history;
    this.#onFrame = onFrame;
    this.#painter = new Painter(canvas);
    new ResizeObserver(() => this.#fit()).observe(area);
    canvas.addEventListener("webglcontextrestored", () => this.redraw());
    this.#wait();
  }

  attach(track) {
    this.#video.srcObject = new MediaStream([track]);
    this.#video.play().catch((error) => {
      // A newer stream or a closing page interrupts play(); both are followed by another attach or by nothing.
      if (error.name !== "AbortError") throw error;
    });
  }

  show(view) {
    this.view = view;
    this.redraw();
  }

  redraw() {
    if (!this.#hasFrame) return;
    this.#painter.upload(this.#video);
    this.#draw();
  }

  // Pixels of one eye, as decoded.
  get eyeSize() {
    return [this.#video.videoWidth / 2, this.#video.videoHeight];
  }

  #wait() {
    this.#video.requestVideoFrameCallback((at, metadata) => {
      this.#wait();
      this.#painter.upload(this.#video);
      this.#hasFrame = true;
      const key = metadata.rtpTimestamp ?? null; // optional in the standard
      const sent = key === null ? null : this.#history.find(key);
      if (sent) this.#setAspect(sent.aspect);
      this.#draw();
      this.#onFrame({ key, sent, at: performance.now(), metadata });
    });
  }

  #draw() {
    const [width, height] = this.eyeSize;
    this.#painter.draw(this.view, this.swapped, width, height);
    this.#fit();
  }

  #setAspect(aspect) {
    this.#aspect = aspect;
  }

  #fit() {
    const shape = this.view === "side-by-side" ? 2 * this.#aspect : this.#aspect;
    const [width, height] = fitInside(this.area.clientWidth, this.area.clientHeight, shape);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
  }
}

// The largest whole size of that shape (width over height) inside an area.
export function fitInside(width, height, shape) {
  return width / height > shape
    ? [Math.round(height * shape), height]
    : [width, Math.round(width / shape)];
}
