// The slider of the photo's field of view. The server bends the scene to it (no second prediction); from the
// middle the picture stays the same, its depth is another.

import { RefusalError, sentenceFor } from "./api.js";
import { Newest } from "./newest.js";
import { FULL_FRAME_MM, diagonalOf } from "./optics.js";
import { part } from "./parts.js";

/** @typedef {import("./wire.js").Scene} Scene */
/** @typedef {{id: string, mm: number | null}} Wish */

export const SHORTEST_MM = 8; // what the server takes
export const LONGEST_MM = 400;
const STEPS = 200; // of the slider, equal ratios: one is 2 %
const EVERY_MS = 100;

export class Lens {
  /** @type {Scene | null} */
  #scene = null;
  /** @type {Map<string, string>} */
  #refused = new Map(); // scene id -> why its field of view cannot be changed
  #refocus;
  #newest = new Newest((/** @type {Wish} */ wish) => this.#send(wish), EVERY_MS);

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.element
   * @param {HTMLElement} parts.button
   * @param {(id: string, mm: number | null) => Promise<Scene>} parts.refocus asks the server and returns the scene
   *   as it then is; null: as the prediction had it. The status of its refusal is 400 where this scene's field of
   *   view cannot be changed.
   */
  constructor({ element, button, refocus }) {
    this.element = element;
    this.button = button;
    this.#refocus = refocus;
    this.parts = {
      slider: part(element, "slider", HTMLInputElement),
      value: part(element, "value", HTMLElement),
      reset: part(element, "reset", HTMLButtonElement),
      trouble: part(element, "trouble", HTMLElement),
    };
    this.parts.slider.max = String(STEPS);
    this.parts.slider.addEventListener("input", () => this.#moved());
    this.parts.reset.addEventListener("click", () => this.#ask(null));
    button.addEventListener("click", () => this.toggle());
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.toggle();
    });
  }

  toggle() {
    const open = this.element.hidden;
    this.element.hidden = !open;
    this.button.setAttribute("aria-expanded", open ? "true" : "false");
    if (open) this.parts.slider.focus({ preventScroll: true });
    else this.button.focus({ preventScroll: true });
  }

  /** @param {Scene | null} scene the one on the stage, as the server's newest word has it */
  show(scene) {
    const isOther = scene?.id !== this.#scene?.id;
    this.#scene = scene;
    if (!scene) return;
    if (isOther || !this.#newest.isBusy) this.#draw(scene);
  }

  /** @param {Scene} scene */
  #draw(scene) {
    const mm = millimetresOf(scene.photo_fov);
    this.parts.slider.value = String(stepOf(mm));
    this.#say(mm);
    const why = this.#refused.get(scene.id) ?? "";
    this.parts.slider.disabled = why !== "";
    this.parts.reset.disabled = why !== "";
    this.parts.trouble.textContent = why;
  }

  #moved() {
    const mm = millimetresAt(Number(this.parts.slider.value));
    this.#say(mm);
    this.#ask(mm);
  }

  /** @param {number | null} mm */
  #ask(mm) {
    if (this.#scene) this.#newest.put({ id: this.#scene.id, mm });
  }

  /** @param {number} mm */
  #say(mm) {
    const degrees = Math.round(degreesOf(mm));
    const length = mm < 100 ? mm.toFixed(1).replace(/\.0$/, "") : mm.toFixed(0);
    this.parts.value.textContent = `${degrees}° · ${length} mm`;
    this.parts.slider.setAttribute("aria-valuetext", `${degrees} degrees, ${length} millimetres`);
  }

  /** @param {Wish} wish */
  async #send({ id, mm }) {
    let trouble = "";
    try {
      const scene = await this.#refocus(id, mm);
      if (id === this.#scene?.id) this.#scene = scene;
    } catch (error) {
      trouble = sentenceFor(error);
      if (error instanceof RefusalError && error.status === 400) this.#refused.set(id, trouble);
    }
    if (id !== this.#scene?.id || this.#newest.isWaiting) return;
    this.#draw(this.#scene); // what is, whatever the hand wanted
    this.parts.trouble.textContent = trouble;
  }
}

/**
 * Focal length on 35 mm film with the same diagonal field of view.
 * @param {import("./geometry.js").Fov} fov
 */
export function millimetresOf(fov) {
  return FULL_FRAME_MM / diagonalOf(fov);
}

/**
 * Diagonal field of view of that focal length.
 * @param {number} mm
 */
export function degreesOf(mm) {
  return (2 * Math.atan(FULL_FRAME_MM / (2 * mm)) * 180) / Math.PI;
}

/** @param {number} mm */
export function stepOf(mm) {
  const share = Math.log(mm / SHORTEST_MM) / Math.log(LONGEST_MM / SHORTEST_MM);
  return Math.round(Math.min(Math.max(share, 0), 1) * STEPS);
}

/** @param {number} step */
export function millimetresAt(step) {
  return SHORTEST_MM * (LONGEST_MM / SHORTEST_MM) ** (step / STEPS);
}
