// The soft light around the picture: a few pixels of the thumbnail, scaled up once. A CSS blur would look the
// same and be paid for with every frame where no GPU helps.

const SIZE = /** @type {const} */ ([20, 12]);

export class Glow {
  #canvas;
  #image = new Image();

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    [canvas.width, canvas.height] = SIZE;
    this.#image.addEventListener("load", () => this.#paint());
    this.#image.addEventListener("error", () => this.#clear());
  }

  /** @param {string} url */
  show(url) {
    this.#image.src = url;
  }

  #paint() {
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    context.imageSmoothingQuality = "high"; // the mean of many pixels, not a few of them
    context.drawImage(this.#image, 0, 0, ...SIZE);
  }

  #clear() {
    this.#canvas.getContext("2d")?.clearRect(0, 0, ...SIZE);
  }
}
