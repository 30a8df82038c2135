// Files that came in, sent one after another; the card shows the one on its way. What is on the stage stays,
// until the new scene can be shown.

import { sentenceFor } from "./api.js";
import { Upload } from "./upload.js";
import { ProtocolError } from "./wire.js";

/** @typedef {import("./upload.js").Progress} Progress */

export class Arrivals {
  /** @type {File[]} */
  #waiting = [];
  /** @type {Upload | null} */
  #upload = null;
  /** @type {string | null} */
  #shown = null; // id of the scene of the upload on its way, if that is on the stage already
  #count = 0; // files of this batch that were begun
  /** @type {[name: string, sentence: string][]} */
  #failed = []; // of this batch: told when it is through, so that the next file hides nothing
  #isCancelled = false; // the last one of this batch

  /**
   * @param {object} parts
   * @param {Pick<import("./card.js").Card, "begin" | "step" | "fail" | "cancelled" | "hide">} parts.card
   * @param {(id: string) => void} parts.onScene hears once of every scene that came, as soon as it can be shown
   */
  constructor({ card, onScene }) {
    this.card = card;
    this.onScene = onScene;
  }

  /** @param {File[]} files */
  add(files) {
    this.#waiting.push(...files);
    if (!this.#upload) this.#next();
  }

  /** @param {Progress} progress of the server */
  hear(progress) {
    this.#upload?.hear(progress);
  }

  async #next() {
    const file = this.#waiting.shift();
    if (!file) {
      this.#finish();
      return;
    }
    this.#shown = null;
    this.#isCancelled = false;
    const upload = new Upload(file, {
      onProgress: (...step) => this.card.step(...step),
      onScene: (id) => this.#show(id),
    });
    this.#upload = upload;
    this.card.begin(file, this.#title(file), () => upload.cancel());
    try {
      this.#show((await upload.send()).id);
    } catch (error) {
      this.#note(file, error);
    }
    this.#upload = null;
    this.#next();
  }

  /**
   * At the end of the prediction, and again when it is stored: by then another one may have been chosen.
   * @param {string} id
   */
  #show(id) {
    if (id === this.#shown) return;
    this.#shown = id;
    this.onScene(id);
    if (!this.#waiting.length) this.card.hide();
  }

  /** @param {File} file */
  #title(file) {
    this.#count += 1;
    const all = this.#count + this.#waiting.length;
    return all > 1 ? `${nameOf(file)} (${this.#count} of ${all})` : nameOf(file);
  }

  /**
   * @param {File} file
   * @param {unknown} error null: it was cancelled
   */
  #note(file, error) {
    this.#isCancelled = error === null;
    if (this.#isCancelled) return;
    this.#failed.push([nameOf(file), sentenceFor(error)]);
    const isTold = error instanceof ProtocolError || (error instanceof Error && error.name === "Error");
    if (!isTold) reportError(error); // a fault of the page: to the console as well, and the next file goes on
  }

  #finish() {
    const failed = this.#failed;
    [this.#count, this.#failed] = [0, []];
    if (failed.length === 1) this.card.fail(...failed[0]);
    else if (failed.length > 1) {
      const lines = failed.map(([name, sentence]) => `${name}: ${sentence}`);
      this.card.fail(`${failed.length} files were not taken`, lines.join("\n"));
    } else if (this.#isCancelled) this.card.cancelled();
    else this.card.hide();
  }
}

/** @param {File} file */
function nameOf(file) {
  return file.name || "Pasted picture";
}
