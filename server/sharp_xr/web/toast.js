// One short sentence at the bottom of the page, with a button perhaps; the next one replaces it.

import { part } from "./parts.js";

export class Toast {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {(() => void) | null} */
  #onGone = null;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.words = part(element, "words", HTMLElement);
    this.button = part(element, "button", HTMLButtonElement);
  }

  /**
   * @param {string} words
   * @param {object} [options]
   * @param {string | null} [options.button] what stands on it; without, there is none
   * @param {(() => void) | null} [options.onPress]
   * @param {(() => void) | null} [options.onGone] is called when it ends without its button having been pressed
   * @param {number} [options.seconds]
   */
  show(words, { button = null, onPress = null, onGone = null, seconds = 6 } = {}) {
    this.end();
    this.words.textContent = words;
    this.button.hidden = !button;
    this.button.textContent = button ?? "";
    this.button.onclick = () => {
      this.#onGone = null;
      this.end();
      onPress?.();
    };
    this.#onGone = onGone;
    this.element.hidden = false;
    this.#timer = setTimeout(() => this.end(), seconds * 1000);
  }

  end() {
    clearTimeout(this.#timer);
    this.element.hidden = true;
    const gone = this.#onGone;
    this.#onGone = null;
    gone?.();
  }
}
