// The viewer's choice between more pixels and more frames, where not everything can be had; it is kept in this
// browser. And what the server makes of it, in words.

import { fixed } from "./format.js";

/** @typedef {"auto" | "sharper" | "smoother"} Goal */
/**
 * @typedef {object} Told The newest stream_quality.
 * @property {Goal} goal
 * @property {number} max_hz
 * @property {number} detail
 * @property {number} bitrate_bps
 * @property {"display" | "machine" | "client" | "link"} limit
 */

/** @type {Goal[]} */
export const GOALS = ["sharper", "auto", "smoother"];
const KEY = "sharp-xr.quality";
const LIMITS = { display: "nothing", machine: "the server", client: "this device", link: "the network" };

export class Quality {
  #element;
  #storage;
  #send;
  /** @type {Goal} */
  #goal;
  #isKnown = false; // to this server, what a choice is
  /** @type {Told | null} */
  told = null;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.element With a button for each goal, which is its data-goal.
   * @param {() => Pick<Storage, "getItem" | "setItem">} parts.storage May throw, where a browser keeps nothing.
   * @param {(message: {type: "quality_choice", goal: Goal}) => void} parts.send
   */
  constructor({ element, storage, send }) {
    this.#element = element;
    this.#storage = storage;
    this.#send = send;
    this.#goal = remembered(storage);
    for (const button of this.#buttons()) {
      button.addEventListener("click", () => this.choose(/** @type {Goal} */ (button.dataset.goal)));
    }
    this.#press();
  }

  get goal() {
    return this.#goal;
  }

  /** @param {Goal} goal */
  choose(goal) {
    this.#goal = goal;
    this.#press();
    if (this.#isKnown) this.#send({ type: "quality_choice", goal });
    try {
      this.#storage().setItem(KEY, goal);
    } catch {
      // Then it holds until the page is closed.
    }
  }

  /**
   * A session begins, and the server knows nothing yet.
   * @param {{capabilities: string[]}} welcome
   */
  welcomed({ capabilities }) {
    this.told = null;
    this.#isKnown = capabilities.includes("quality");
    this.#element.hidden = !this.#isKnown;
    if (this.#isKnown && this.#goal !== "auto") this.#send({ type: "quality_choice", goal: this.#goal });
  }

  #press() {
    for (const button of this.#buttons()) {
      button.setAttribute("aria-pressed", button.dataset.goal === this.#goal ? "true" : "false");
    }
  }

  /** @returns {HTMLElement[]} */
  #buttons() {
    return [...this.#element.querySelectorAll(/** @type {"button"} */ ("[data-goal]"))];
  }
}

/**
 * @param {() => Pick<Storage, "getItem">} storage
 * @returns {Goal}
 */
function remembered(storage) {
  try {
    return GOALS.find((goal) => goal === storage().getItem(KEY)) ?? "auto";
  } catch {
    return "auto";
  }
}

/**
 * Text for the panel's figures of it.
 * @param {Told | null} told
 * @returns {Record<string, string>}
 */
export function qualityFigures(told) {
  return {
    limit: told ? LIMITS[told.limit] : fixed(null, 0),
    most: told ? `${fixed(told.max_hz, 0)} /s, ${fixed(told.bitrate_bps / 1e6, 1, " Mbit/s")}` : fixed(null, 0),
    detail: told ? `${fixed(100 * told.detail, 0, " %")}` : fixed(null, 0),
  };
}
