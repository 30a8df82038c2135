// The card over the stage that shows a file on its way, or the sentence that says why it did not arrive.
//
//     working -> (gone)            it arrived
//             -> cancelled         for a moment, then gone
//             -> failed            until it is closed

import { part } from "./parts.js";
import { STAGES } from "./upload.js";

const CANCELLED_MS = 1600; // how long that is said

export class Card {
  /** @type {string | null} */
  #preview = null; // object URL of the file
  /** @type {HTMLElement | null} */
  #before = null; // what had the focus before the card took it
  /** @type {(() => void) | null} */
  #onCancel = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.parts = {
      picture: part(element, "picture", HTMLImageElement),
      title: part(element, "title", HTMLElement),
      stage: part(element, "stage", HTMLElement),
      bar: part(element, "bar", HTMLElement),
      fill: part(element, "fill", HTMLElement),
      detail: part(element, "detail", HTMLElement),
      cancel: part(element, "cancel", HTMLButtonElement),
      close: part(element, "close", HTMLButtonElement),
    };
    // HEIC and AVIF are not shown by every browser, and a .ply by none.
    this.parts.picture.addEventListener("error", () => (this.parts.picture.hidden = true));
    this.parts.cancel.addEventListener("click", () => this.#cancel());
    this.parts.close.addEventListener("click", () => this.hide());
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#escape();
    });
  }

  /**
   * @param {File} file
   * @param {string} title the file's name
   * @param {() => void} onCancel is called once, by its button or by Escape
   */
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

  /**
   * @param {import("./upload.js").Stage} stage
   * @param {number} fraction
   * @param {string} detail words like "tile 12 of 35"
   */
  step(stage, fraction, detail) {
    if (this.#onCancel === null) return; // being cancelled: that is said instead
    this.#say(STAGES[stage]);
    this.parts.cancel.hidden = stage === "store"; // too late: it can be looked at already
    const percent = Math.round(fraction * 100);
    const words = [`${percent} %`, detail].filter(Boolean).join(", ");
    this.parts.detail.textContent = words;
    this.parts.bar.setAttribute("aria-valuenow", String(percent));
    this.parts.bar.setAttribute("aria-valuetext", `${STAGES[stage]}, ${words}`);
    this.parts.fill.style.transform = `scaleX(${fraction})`;
  }

  /**
   * @param {string} title
   * @param {string} sentence
   */
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

  /**
   * Screen readers say each change of the text: the stage, not every percent.
   * @param {string} words
   */
  #say(words) {
    if (this.parts.stage.textContent !== words) this.parts.stage.textContent = words;
  }

  /** @param {"working" | "cancelled" | "failed"} state */
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
    if (activeElement instanceof HTMLElement && !this.element.contains(activeElement)) {
      this.#before = activeElement;
    }
    this.element.focus({ preventScroll: true });
  }

  #forget() {
    clearTimeout(this.#timer);
    if (this.#preview) URL.revokeObjectURL(this.#preview);
    this.#preview = null;
  }
}
