// The card over the stage that shows a file on its way, or the sentence that says why it did not arrive.

import { STAGES } from "./upload.js";

export class Card {
  #preview = null; // object URL of the file

  constructor(element) {
    this.element = element;
    const part = (name) => element.querySelector(`[data-part=${name}]`);
    this.parts = {
      picture: part("picture"),
      title: part("title"),
      stage: part("stage"),
      bar: part("bar"),
      fill: part("fill"),
      cancel: part("cancel"),
      close: part("close"),
    };
    // HEIC and AVIF are not shown by every browser, and a .ply by none.
    this.parts.picture.addEventListener("error", () => (this.parts.picture.hidden = true));
    this.parts.close.addEventListener("click", () => this.hide());
  }

  // `title` is the file's name; `onCancel` is called by its button.
  begin(file, title, onCancel) {
    this.#forget();
    this.#preview = URL.createObjectURL(file);
    this.parts.picture.hidden = false;
    this.parts.picture.src = this.#preview;
    this.parts.title.textContent = title;
    this.parts.cancel.onclick = onCancel;
    this.#show("working");
    this.step("sending", 0);
  }

  step(stage, fraction) {
    // Screen readers say each change of the text: the stage, not every percent.
    if (this.parts.stage.textContent !== STAGES[stage]) this.parts.stage.textContent = STAGES[stage];
    const percent = Math.round(fraction * 100);
    this.parts.bar.setAttribute("aria-valuenow", percent);
    this.parts.bar.setAttribute("aria-valuetext", `${STAGES[stage]}, ${percent} %`);
    this.parts.fill.style.transform = `scaleX(${fraction})`;
  }

  fail(title, sentence) {
    this.parts.title.textContent = title;
    this.parts.stage.textContent = sentence;
    this.#show("failed");
  }

  hide() {
    this.element.hidden = true;
    this.#forget();
  }

  #show(state) {
    this.element.dataset.state = state;
    this.element.hidden = false;
  }

  #forget() {
    if (this.#preview) URL.revokeObjectURL(this.#preview);
    this.#preview = null;
  }
}
