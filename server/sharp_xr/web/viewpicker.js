// The buttons that choose what is seen of the two eyes.

import { VIEWS } from "./painter.js";

export class ViewPicker {
  constructor({ element, swapButton, stage }) {
    this.buttons = [...element.querySelectorAll("[data-view]")];
    this.swapButton = swapButton;
    this.stage = stage;
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.choose(button.dataset.view));
    }
    swapButton.addEventListener("click", () => this.swap());
  }

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

  // {"1": ..., "2": ..., "3": ..., "x": ...} for the keyboard.
  get keys() {
    const choices = VIEWS.map((view, index) => [String(index + 1), () => this.choose(view)]);
    return { ...Object.fromEntries(choices), x: () => this.swap() };
  }
}
