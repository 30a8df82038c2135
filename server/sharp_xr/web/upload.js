// One file on its way to the server and through it: sending, decode, predict, store.

import { cancelJob, headers, sceneOf, sentenceOf, uploadUrl } from "./api.js";

const SENDING_SHARE = 0.15; // of the bar; the rest follows the server's Progress
const TAKEN = [200, 201]; // 200: these very bytes were predicted before

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
  #settle = null; // {resolve, reject} of what send() promised
  job = newJob();

  // onProgress(stage, fraction, detail) hears of every step; `stage` is a key of STAGES, `detail` words like
  // "tile 12 of 35". onScene(id) hears that the scene can be shown, which is before it is stored.
  constructor(file, { onProgress, onScene }) {
    this.file = file;
    this.#onProgress = onProgress;
    this.#onScene = onScene;
  }

  // The stored scene. Throws an Error with the sentence to show, or null when it was cancelled.
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

  // A Progress message of the server, of this job or of another.
  hear({ job, stage, fraction, message = "" }) {
    if (job !== this.job || !(stage in STAGES)) return;
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
      this.#settle.reject(null);
    } catch (error) {
      if (error.status !== 404) this.#request.abort(); // the server sees that nobody waits any more
    }
  }

  // Never back.
  #step(stage, fraction, detail = "") {
    if (fraction < this.#fraction) return;
    this.#fraction = fraction;
    this.#onProgress(stage, fraction, detail);
  }

  #answered() {
    const { status, responseText } = this.#request;
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

// In this order: all of a file is exactly its share, or the server's first word would seem a step back.
export const sent = (loaded, total) => (total ? SENDING_SHARE * (loaded / total) : 0);
export const served = (fraction) => SENDING_SHARE + (1 - SENDING_SHARE) * fraction;

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
