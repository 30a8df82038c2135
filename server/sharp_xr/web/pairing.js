// How a headset gets in: a short code that is good once, and the QR code of the address that has it.

import { sentenceFor } from "./api.js";
import { clockOf } from "./format.js";
import { part } from "./parts.js";

/** @typedef {Awaited<ReturnType<typeof import("./api.js").newPairingCode>>} Code */

const MODULE = 6; // pixels of the canvas, before CSS
const EVERY_MS = 1000;

export class Pairing {
  #dialog;
  #button;
  #ask;
  #until = 0; // performance.now()
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #asked = 0; // answers to former questions come too late

  /**
   * @param {object} parts
   * @param {HTMLDialogElement} parts.dialog
   * @param {HTMLElement} parts.button shown where there is something to pair with: the server does it over TLS only
   * @param {() => Promise<Code>} parts.ask for a new one
   */
  constructor({ dialog, button, ask }) {
    this.#dialog = dialog;
    this.#button = button;
    this.#ask = ask;
    this.parts = {
      qr: part(dialog, "qr", HTMLCanvasElement),
      address: part(dialog, "address", HTMLElement),
      code: part(dialog, "code", HTMLElement),
      left: part(dialog, "left", HTMLElement),
      trouble: part(dialog, "trouble", HTMLElement),
    };
    button.hidden = location.protocol !== "https:";
    button.addEventListener("click", () => this.open());
    part(dialog, "again", HTMLButtonElement).addEventListener("click", () => this.#renew());
    part(dialog, "close", HTMLButtonElement).addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.#forget());
  }

  /** Asks for a code and shows it. */
  open() {
    if (this.#button.hidden || this.#dialog.open) return undefined;
    this.#dialog.showModal();
    return this.#renew();
  }

  async #renew() {
    this.#forget();
    const asked = ++this.#asked;
    try {
      const code = await this.#ask();
      if (asked === this.#asked && this.#dialog.open) this.#show(code);
    } catch (error) {
      if (asked === this.#asked) this.parts.trouble.textContent = sentenceFor(error);
    }
  }

  /** @param {Code} code */
  #show({ code, seconds, address, qr }) {
    this.parts.code.textContent = code;
    this.parts.address.textContent = address.replace(/\?.*/, "");
    paint(this.parts.qr, qr);
    this.parts.qr.hidden = false;
    this.#until = performance.now() + 1000 * seconds;
    this.#timer = setInterval(() => this.#tick(), EVERY_MS);
    this.#tick();
  }

  #tick() {
    const seconds = Math.ceil((this.#until - performance.now()) / 1000);
    if (seconds > 0) {
      this.parts.left.textContent = `Good once, for ${clockOf(seconds)} minutes.`;
      return;
    }
    this.#forget();
    this.parts.trouble.textContent = "The code is too old now: ask for another one.";
  }

  // A code that nobody looks at shall not be read off the screen.
  #forget() {
    clearInterval(this.#timer);
    const { qr, address, code, left, trouble } = this.parts;
    qr.hidden = true;
    for (const words of [address, code, left, trouble]) words.textContent = "";
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string[]} rows "1" where it is dark
 */
function paint(canvas, rows) {
  canvas.width = canvas.height = MODULE * rows.length;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.fillStyle = "#fff"; // also on a dark page: readers want dark on light
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#000";
  rows.forEach((row, y) => {
    [...row].forEach((dark, x) => {
      if (dark === "1") context.fillRect(MODULE * x, MODULE * y, MODULE, MODULE);
    });
  });
}
