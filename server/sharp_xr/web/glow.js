// The soft light around the picture: a few pixels of the thumbnail, scaled up once. A CSS blur or mask would look
// the same and be paid for with every frame where no GPU helps.

const SIZE = /** @type {const} */ ([20, 24]);
const FADES = 0.3; // of the height, at the top and at the bottom

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
    context.globalCompositeOperation = "copy";
    context.drawImage(this.#image, 0, 0, ...SIZE);
    context.globalCompositeOperation = "destination-in";
    context.fillStyle = fade(context);
    context.fillRect(0, 0, ...SIZE);
  }

  #clear() {
    this.#canvas.getContext("2d")?.clearRect(0, 0, ...SIZE);
  }
}

/** @param {CanvasRenderingContext2D} context */
function fade(context) {
  const gradient = context.createLinearGradient(0, 0, 0, SIZE[1]);
  for (const [place, colour] of /** @type {const} */ ([
    [0, "transparent"],
    [FADES, "black"],
    [1 - FADES, "black"],
    [1, "transparent"],
  ])) {
    gradient.addColorStop(place, colour);
  }
  return gradient;
}
