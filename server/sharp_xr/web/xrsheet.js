// What is on the panel inside a headset, painted on a small canvas.

/** @typedef {{id: string, name: string}} NamedScene */
/** @typedef {"show" | "recentre" | "smaller" | "true" | "larger" | "leave"} Action */
/**
 * A place of the panel that can be pressed, in its pixels.
 * @typedef {object} Cell
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 * @property {Action | "earlier" | "later"} action
 * @property {NamedScene | null} scene
 * @property {string} words
 */

export const PIXELS = [1024, 448];
export const METRES = [0.96, 0.42];
export const SHOWN_AT_ONCE = 4;

const [MARGIN, TILE, GAP] = [40, 206, 40]; // pixels
const BUTTON_GAP = 14;
const COLOURS = {
  ground: "rgb(18 20 25 / 0.94)",
  button: "#2b2f39",
  pointed: "#4a5162",
  current: "#f4b26a",
  words: "#eceef2",
  soft: "#a3a9b5",
  trouble: "#ffb4a4",
};

/**
 * What lies where, `first` being the first of the scenes that are shown.
 * @param {NamedScene[]} scenes
 * @param {number} first
 * @returns {Cell[]}
 */
export function cellsFor(scenes, first) {
  const tiles = scenes.slice(first, first + SHOWN_AT_ONCE).map((scene, i) => ({
    x: MARGIN + i * (TILE + GAP),
    y: 36,
    width: TILE,
    height: 190,
    action: /** @type {const} */ ("show"),
    scene,
    words: scene.name,
  }));
  /** @type {[Cell["action"], string][]} */
  const buttons = [
    ["recentre", "Recentre"],
    ["smaller", "Smaller"],
    ["true", "True size"],
    ["larger", "Larger"],
    ["leave", "Leave"],
  ];
  if (first > 0) buttons.unshift(["earlier", "‹"]);
  if (first + SHOWN_AT_ONCE < scenes.length) buttons.push(["later", "›"]);
  const width = (PIXELS[0] - 2 * MARGIN - (buttons.length - 1) * BUTTON_GAP) / buttons.length;
  return [
    ...tiles,
    ...buttons.map(([action, words], i) => {
      const x = MARGIN + i * (width + BUTTON_GAP);
      return { x, y: 262, width, height: 76, action, scene: null, words };
    }),
  ];
}

/** What tells a place from the others. @param {Cell} cell */
export function nameOf({ action, scene }) {
  return scene ? `${action} ${scene.id}` : action;
}

/**
 * How large the scene is, for a person.
 * @param {number} size times as large as in truth
 */
export function sizeInWords(size) {
  if (Math.abs(size - 1) < 0.005) return "True size: a metre of the photo is a metre";
  return `Shown ${size.toFixed(2)} times as large as it is`;
}

export class Sheet {
  #thumbnailUrl;
  /** @type {HTMLCanvasElement | null} */
  #canvas = null;
  /** @type {Map<string, HTMLImageElement>} */
  #images = new Map(); // by scene's id
  #pointed = ""; // names of the places that hands point at
  isStale = true;
  size = 1;
  trouble = "";
  /** @type {string | null} */
  current = null; // id of the scene that is shown

  /** @param {{thumbnailUrl: (id: string) => string}} parts */
  constructor({ thumbnailUrl }) {
    this.#thumbnailUrl = thumbnailUrl;
  }

  /** What is painted is not true any more. */
  forget() {
    this.isStale = true;
  }

  /** Hands point there. @param {string[]} names of places */
  point(names) {
    const pointed = names.join("\n");
    if (pointed === this.#pointed) return;
    this.#pointed = pointed;
    this.forget();
  }

  /** @param {Cell} cell */
  #isPointed(cell) {
    return this.#pointed.split("\n").includes(nameOf(cell));
  }

  /**
   * @param {Cell[]} cells
   * @returns {HTMLCanvasElement}
   */
  paint(cells) {
    this.isStale = false;
    this.#canvas ??= canvasOf(PIXELS);
    const context = this.#canvas.getContext("2d");
    if (context === null) throw new Error("this browser has no canvas to paint on");
    context.clearRect(0, 0, PIXELS[0], PIXELS[1]);
    context.fillStyle = COLOURS.ground;
    box(context, { x: 0, y: 0, width: PIXELS[0], height: PIXELS[1] }, 32);
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const cell of cells) {
      if (cell.scene) this.#paintTile(context, cell, cell.scene);
      else paintButton(context, cell, this.#isPointed(cell) ? COLOURS.pointed : COLOURS.button);
    }
    context.font = "24px system-ui, sans-serif";
    context.fillStyle = this.trouble ? COLOURS.trouble : COLOURS.words;
    write(context, this.trouble || sizeInWords(this.size), PIXELS[0] / 2, 370, PIXELS[0] - 2 * MARGIN);
    context.fillStyle = COLOURS.soft;
    const hint = "Trigger: choose, or hide this · Grip: recentre · Stick: next scene, size";
    write(context, hint, PIXELS[0] / 2, 408, PIXELS[0] - 2 * MARGIN);
    return this.#canvas;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Cell} cell
   * @param {NamedScene} scene
   */
  #paintTile(context, cell, { id, name }) {
    const { x, y, width } = cell;
    const height = Math.round((width * 2) / 3);
    const frame = this.#isPointed(cell) ? COLOURS.pointed : COLOURS.button;
    context.fillStyle = id === this.current ? COLOURS.current : frame;
    box(context, { x: x - 5, y: y - 5, width: width + 10, height: height + 10 }, 16);
    const image = this.#image(id);
    if (image.complete && image.naturalWidth) {
      const crop = Math.min(image.naturalWidth / 3, image.naturalHeight / 2);
      const [w, h] = [crop * 3, crop * 2];
      const [left, top] = [(image.naturalWidth - w) / 2, (image.naturalHeight - h) / 2];
      context.drawImage(image, left, top, w, h, x, y, width, height);
    }
    context.font = "26px system-ui, sans-serif";
    context.fillStyle = COLOURS.words;
    write(context, name, x + width / 2, y + height + 32, width);
  }

  /** @param {string} id */
  #image(id) {
    let image = this.#images.get(id);
    if (!image) {
      image = new Image();
      image.addEventListener("load", () => this.forget());
      image.src = this.#thumbnailUrl(id);
      this.#images.set(id, image);
    }
    return image;
  }
}

/** @param {number[]} pixels */
function canvasOf([width, height]) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Cell} cell
 * @param {string} colour
 */
function paintButton(context, cell, colour) {
  context.fillStyle = colour;
  box(context, cell, 16);
  context.font = "30px system-ui, sans-serif";
  context.fillStyle = COLOURS.words;
  write(context, cell.words, cell.x + cell.width / 2, cell.y + cell.height / 2 + 2, cell.width - 16);
}

/**
 * In the middle of a line, cut where it is too long.
 * @param {CanvasRenderingContext2D} context
 * @param {string} words
 * @param {number} x
 * @param {number} y
 * @param {number} width
 */
function write(context, words, x, y, width) {
  let end = words.length;
  let shown = words;
  while (end > 1 && context.measureText(shown).width > width) {
    end -= 1;
    shown = `${words.slice(0, end).trimEnd()}…`;
  }
  context.fillText(shown, x, y);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} place
 * @param {number} radius
 */
function box(context, { x, y, width, height }, radius) {
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
  context.fill();
}
