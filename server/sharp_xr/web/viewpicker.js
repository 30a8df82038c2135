// The buttons that choose what is seen of the two eyes.

import { VIEWS } from "./painter.js";

/** @typedef {(typeof VIEWS)[number]} View */

export class ViewPicker {
  /**
   * @param {object} parts
   * @param {HTMLElement} parts.element with a button for each view, which is its data-view
   * @param {HTMLElement} parts.swapButton
   * @param {import("./stage.js").Stage} parts.stage
   */
  constructor({ element, swapButton, stage }) {
    /** @type {HTMLElement[]} */
    this.buttons = [...element.querySelectorAll(/** @type {"button"} */ ("[data-view]"))];
    this.swapButton = swapButton;
    this.stage = stage;
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.choose(/** @type {View} */ (button.dataset.view)));
    }
    swapButton.addEventListener("click", () => this.swap());
  }

  /** @param {View} view */
  choose(view) {
    this.stage.show(view);
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", button.dataset.view === view ? "true" : "false");
    }
    this.swapButton.hidden = view !== "side-by-side";
  }

  // Crossed viewing: the right eye's picture on the left.
  swap() {
    this.stage.swapped = !this.stage.swapped;
    this.stage.redraw();
    this.swapButton.setAttribute("aria-pressed", this.stage.swapped ? "true" : "false");
  }

  /**
   * {"1": ..., "2": ..., "3": ..., "x": ...} for the keyboard.
   * @returns {Record<string, () => void>}
   */
  get keys() {
    const choices = VIEWS.map((view, index) => [String(index + 1), () => this.choose(view)]);
    return { ...Object.fromEntries(choices), x: () => this.swap() };
  }
}
