// How to move, said until somebody has: once for this browser.

const KEY = "sharp-xr.hint";

export class Hint {
  #element;
  #storage;
  #isKnown;

  /**
   * @param {object} parts
   * @param {Pick<HTMLElement, "hidden" | "textContent">} parts.element
   * @param {() => Pick<Storage, "getItem" | "setItem">} parts.storage May throw, where a browser keeps nothing.
   * @param {string} parts.words
   */
  constructor({ element, storage, words }) {
    this.#element = element;
    this.#storage = storage;
    this.#isKnown = this.#remembered();
    element.textContent = words;
  }

  /**
   * At each turn of the display.
   * @param {boolean} hasPicture
   * @param {boolean} isTouched whether anybody has moved the head
   */
  update(hasPicture, isTouched) {
    const isHidden = this.#isKnown || !hasPicture || isTouched;
    if (!this.#isKnown && hasPicture && isTouched) this.#remember();
    if (this.#element.hidden !== isHidden) this.#element.hidden = isHidden;
  }

  #remembered() {
    try {
      return this.#storage().getItem(KEY) !== null;
    } catch {
      return false;
    }
  }

  #remember() {
    this.#isKnown = true;
    try {
      this.#storage().setItem(KEY, "known");
    } catch {
      // Then it is said again next time.
    }
  }
}
