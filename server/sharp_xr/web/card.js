// The card over the stage that shows a file on its way, or the sentence that says why it did not arrive.
//
//     working -> (gone)            it arrived
//             -> cancelled         for a moment, then gone
//             -> failed            until it is closed

import { STAGES } from "./upload.js";

const CANCELLED_MS = 1600; // how long that is said

export class Card {
  #preview = null; // object URL of the file
  #before = null; // what had the focus before the card took it
  #onCancel = null;
  #timer = null;

  constructor(element) {
    this.element = element;
    const part = (name) => element.querySelector(`[data-part=${name}]`);
    this.parts = {
      picture: part("picture"),
      title: part("title"),
      stage: part("stage"),
      bar: part("bar"),
      fill: part("fill"),
      detail: part("detail"),
      cancel: part("cancel"),
      close: part("close"),
    };
    // HEIC and AVIF are not shown by every browser, and a .ply by none.
    this.parts.picture.addEventListener("error", () => (this.parts.picture.hidden = true));
    this.parts.cancel.addEventListener("click", () => this.#cancel());
    this.parts.close.addEventListener("click", () => this.hide());
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#escape();
    });
  }

  // `title` is the file's name; `onCancel` is called once, by its button or by Escape.
  begin(file, title, onCancel) {
    this.#forget();
    this.#preview = URL.createObjectURL(file);
    this.parts.picture.hidden = false;
    this.parts.picture.src = this.#preview;
    this.parts.title.textContent = title;
    this.parts.cancel.disabled = false;
    this.#onCancel = onCancel;
    this.#show("working");
    this.step("sending", 0, "");
  }

  // `detail` are words like "tile 12 of 35".
  step(stage, fraction, detail) {
    if (this.#onCancel === null) return; // being cancelled: that is said instead
    this.#say(STAGES[stage]);
    this.parts.cancel.hidden = stage === "store"; // too late: it can be looked at already
    const percent = Math.round(fraction * 100);
    const words = [`${percent} %`, detail].filter(Boolean).join(", ");
    this.parts.detail.textContent = words;
    this.parts.bar.setAttribute("aria-valuenow", percent);
    this.parts.bar.setAttribute("aria-valuetext", `${STAGES[stage]}, ${words}`);
    this.parts.fill.style.transform = `scaleX(${fraction})`;
  }

  fail(title, sentence) {
    this.parts.title.textContent = title;
    this.#say(sentence);
    this.#show("failed");
  }

  cancelled() {
    this.#say("Cancelled");
    this.#show("cancelled");
    this.#timer = setTimeout(() => this.hide(), CANCELLED_MS);
  }

  hide() {
    const hadFocus = this.element.contains(document.activeElement);
    this.element.hidden = true;
    if (hadFocus) this.#before?.focus({ preventScroll: true });
    this.#forget();
  }

  #cancel() {
    const onCancel = this.#onCancel;
    this.#onCancel = null;
    this.parts.cancel.disabled = true;
    this.#say("Cancelling…");
    onCancel?.();
  }

  #escape() {
    if (this.element.dataset.state !== "working") this.hide();
    else if (!this.parts.cancel.hidden) this.#cancel();
  }

  // Screen readers say each change of the text: the stage, not every percent.
  #say(words) {
    if (this.parts.stage.textContent !== words) this.parts.stage.textContent = words;
  }

  #show(state) {
    const isNew = this.element.hidden;
    const hadFocus = this.element.contains(document.activeElement);
    this.element.dataset.state = state;
    this.element.hidden = false;
    // So that Escape is about the card; not while a name is being typed. The keys of the head work on.
    if ((isNew && !document.activeElement?.matches("input")) || hadFocus) this.#takeFocus();
  }

  #takeFocus() {
    const { activeElement } = document;
    if (!this.element.contains(activeElement)) this.#before = activeElement;
    this.element.focus({ preventScroll: true });
  }

  #forget() {
    clearTimeout(this.#timer);
    if (this.#preview) URL.revokeObjectURL(this.#preview);
    this.#preview = null;
  }
}
