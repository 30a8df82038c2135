// Where frames are shown. Every decoded frame is looked up in the pose history by its RTP timestamp and drawn
// as it is; `onFrame` hears what was shown.

import { Painter } from "./painter.js";

export class Stage {
  #video;
  #painter;
  #history;
  #onFrame;
  #onDecoded;
  #aspect = 1; // of one eye, as shown
  #scene = null;
  #hasFrame = false;
  #hasKeys = false; // whether this browser tells RTP timestamps, which the standard leaves open
  view = "left";
  swapped = false;

  // `area` is the element that the canvas is fitted into. onFrame({key, sent, at, metadata}) gets what
  // was remembered with the key as `sent`, null for a frame that matches no pose. onDecoded(key) hears of
  // every frame that came, whether it is shown or not.
  constructor({ area, canvas, video, history, onFrame, onDecoded }) {
    this.area = area;
    this.canvas = canvas;
    this.#video = video;
    this.#history = history;
    this.#onFrame = onFrame;
    this.#onDecoded = onDecoded;
    this.#painter = new Painter(canvas);
    new ResizeObserver(() => this.#fit()).observe(area);
    this.#wait();
  }

  async attach(track) {
    this.#video.srcObject = new MediaStream([track]);
    try {
      await this.#video.play();
    } catch (error) {
      // A phone that saves power wants a touch first. A newer stream interrupts the older one (AbortError).
      if (error.name === "NotAllowedError") {
        addEventListener("pointerdown", () => this.#video.play(), { once: true });
      } else if (error.name !== "AbortError") throw error;
    }
  }

  // From now on the server draws this scene. Frames of poses that were sent before looked through another
  // window at it: they would show it too large or too small for a moment, and are left out.
  enter(scene) {
    this.#scene = scene;
  }

  show(view) {
    this.view = view;
    this.redraw();
  }

  redraw() {
    if (this.#hasFrame) this.#draw();
  }

  // Pixels of one eye, as decoded.
  get eyeSize() {
    return [this.#video.videoWidth / 2, this.#video.videoHeight];
  }

  #wait() {
    this.#video.requestVideoFrameCallback((at, metadata) => {
      this.#wait();
      const key = metadata.rtpTimestamp ?? null;
      this.#hasKeys ||= key !== null;
      // Chromium ends a track with a black frame of its own; the last picture stays instead.
      if (this.#hasKeys && key === null) return;
      this.#take(key, metadata);
    });
  }

  #take(key, metadata) {
    const sent = key === null ? null : this.#history.find(key);
    if (key !== null) this.#onDecoded(key);
    if (sent && sent.scene !== this.#scene) return;
    if (sent) this.#aspect = sent.aspect;
    this.#painter.upload(this.#video);
    this.#hasFrame = true;
    this.#draw();
    this.#onFrame({ key, sent, at: performance.now(), metadata });
  }

  #draw() {
    const [width, height] = this.eyeSize;
    this.#painter.draw(this.view, this.swapped, width, height);
    this.#fit();
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
