// One file on its way to the server and through it: sending, decode, predict, store.

import { RefusalError, cancelJob, headers, sceneOf, sentenceOf, uploadUrl } from "./api.js";

const SENDING_SHARE = 0.15; // of the bar; the rest follows the server's Progress
const TAKEN = [200, 201]; // 200: these very bytes were predicted before

/** @typedef {import("./wire.js").Scene} Scene */
/** @typedef {Omit<import("./wire.js").Told<"progress">, "type">} Progress */
/** @typedef {keyof typeof STAGES} Stage */

export const STAGES = {
  sending: "Sending the file",
  decode: "Reading the photo",
  predict: "Building the place",
  store: "Keeping it",
};

export class Upload {
  #request = new XMLHttpRequest(); // fetch() cannot tell how much was sent
  #onProgress;
  #onScene;
  #fraction = 0;
  #isSent = false; // the whole file
  #isCancelled = false;
  /** @type {{resolve: (scene: Scene) => void, reject: (error: unknown) => void} | null} */
  #settle = null; // of what send() promised
  job = newJob();

  /**
   * @param {File} file
   * @param {object} listeners
   * @param {(stage: Stage, fraction: number, detail: string) => void} listeners.onProgress hears of every step;
   *   `detail` are words like "tile 12 of 35"
   * @param {(id: string) => void} listeners.onScene hears that the scene can be shown, which is before it is stored
   */
  constructor(file, { onProgress, onScene }) {
    this.file = file;
    this.#onProgress = onProgress;
    this.#onScene = onScene;
  }

  /**
   * The stored scene. Throws an Error with the sentence to show, or null when it was cancelled.
   * @returns {Promise<Scene>}
   */
  send() {
    const request = this.#request;
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      request.upload.onprogress = ({ loaded, total }) => {
        if (!this.#isSent) this.#step("sending", sent(loaded, total)); // its last one may come late
      };
      request.upload.onload = () => (this.#isSent = true);
      request.onload = () => this.#answered();
      request.onerror = () => reject(new Error(broken(this.#isSent)));
      request.onabort = () => reject(null);
      request.open("POST", uploadUrl(this.file.name || "pasted.png", this.job));
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      this.#step("sending", 0);
      request.send(this.file);
    });
  }

  /** @param {Progress} progress of the server, of this job or of another */
  hear({ job, stage, fraction, message = "" }) {
    if (job !== this.job || !isStage(stage)) return;
    this.#isSent = true; // the browser itself may say so later
    const isScene = stage === "store" && message !== "";
    this.#step(stage, served(fraction), isScene ? "" : message);
    if (isScene) this.#onScene(message);
  }

  // The server is asked to stop. Where it is too late for that, its answer comes as if nothing had been.
  async cancel() {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    if (!this.#isSent) {
      this.#request.abort();
      return;
    }
    try {
      await cancelJob(this.job);
      this.#settle?.reject(null);
    } catch (error) {
      const isOver = error instanceof RefusalError && error.status === 404;
      if (!isOver) this.#request.abort(); // the server sees that nobody waits any more
    }
  }

  /**
   * Never back.
   * @param {Stage} stage
   * @param {number} fraction
   */
  #step(stage, fraction, detail = "") {
    if (fraction < this.#fraction) return;
    this.#fraction = fraction;
    this.#onProgress(stage, fraction, detail);
  }

  #answered() {
    const { status, responseText } = this.#request;
    if (!this.#settle) return;
    const { resolve, reject } = this.#settle;
    if (!TAKEN.includes(status)) {
      reject(this.#isCancelled ? null : new Error(sentenceOf(responseText, status)));
      return;
    }
    try {
      resolve(sceneOf(responseText));
    } catch (error) {
      reject(error);
    }
  }
}

/**
 * In this order: all of a file is exactly its share, or the server's first word would seem a step back.
 * @param {number} loaded
 * @param {number} total
 */
export const sent = (loaded, total) => (total ? SENDING_SHARE * (loaded / total) : 0);
/** @param {number} fraction */
export const served = (fraction) => SENDING_SHARE + (1 - SENDING_SHARE) * fraction;

/**
 * @param {string} stage
 * @returns {stage is Stage}
 */
function isStage(stage) {
  return Object.hasOwn(STAGES, stage);
}

/** @param {boolean} isSent */
function broken(isSent) {
  return isSent
    ? "The connection to the server broke before the place was built."
    : "The connection broke while the file was sent.";
}

// crypto.randomUUID() is missing on pages that come over plain http from the network.
function newJob() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
