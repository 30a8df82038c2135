// The way into a headset and out of it: the page's buttons, and what hands ask for inside.

import { Headset, offers } from "./xr.js";
import { Panel3d } from "./xrpanel.js";

/** @typedef {import("./xr.js").Mode} Mode */
/** @typedef {import("./xrsheet.js").Action} Action */
/** @typedef {import("./xrsheet.js").NamedScene} NamedScene */

const SIZE_STEP = 1.25; // of one press
/** @type {Mode[]} */
const MODES = ["immersive-vr", "immersive-ar"];

/**
 * The id of the scene before (-1) or after (1) the current one, around the ends; null where there is no other.
 * @param {NamedScene[]} scenes
 * @param {string | null} current
 * @param {number} way
 */
export function neighbour(scenes, current, way) {
  const at = scenes.findIndex(({ id }) => id === current);
  if (at < 0) return scenes[0]?.id ?? null;
  return scenes.length > 1 ? (scenes.at((at + way) % scenes.length)?.id ?? null) : null;
}

export class Door {
  #buttons;
  #show;
  #onTrouble;
  #panel;
  /** @type {NamedScene[]} */
  #scenes = [];
  /** @type {string | null} */
  #current = null;

  /**
   * @param {object} parts
   * @param {Record<Mode, HTMLElement>} parts.buttons hidden where the browser does not offer it
   * @param {import("./stage.js").Stage} parts.stage
   * @param {(id: string) => string} parts.thumbnailUrl
   * @param {(display: import("./display.js").Display | null) => void} parts.onDisplay null: the page's own again
   * @param {ConstructorParameters<typeof Headset>[0]["onPose"]} parts.onPose
   * @param {(id: string) => void} parts.show asks for a scene
   * @param {() => void} parts.onEnd
   * @param {(sentence: string) => void} parts.onTrouble
   */
  constructor({ buttons, stage, thumbnailUrl, onDisplay, onPose, show, onEnd, onTrouble }) {
    this.#buttons = buttons;
    this.#show = show;
    this.#onTrouble = onTrouble;
    this.#panel = new Panel3d({ thumbnailUrl, onAction: (...pressed) => this.#act(...pressed) });
    this.headset = new Headset({
      stage,
      panel: this.#panel,
      onDisplay,
      onPose,
      onStep: (way) => this.step(way),
      onEnd() {
        onDisplay(null);
        onEnd();
      },
    });
    for (const mode of MODES) buttons[mode].addEventListener("click", () => this.#enter(mode));
    navigator.xr?.addEventListener("devicechange", () => this.#offer());
    this.#offer();
  }

  get isOpen() {
    return this.headset.isActive;
  }

  get panel() {
    return this.#panel;
  }

  /**
   * What there is to go to, and what is wrong: a sentence or "".
   * @param {NamedScene[]} scenes
   * @param {string | null} current
   * @param {string} trouble
   */
  update(scenes, current, trouble) {
    this.#scenes = scenes;
    this.#current = current;
    this.#panel.setScenes(scenes, current);
    this.#panel.tell(trouble);
  }

  /** Another scene is shown. */
  arrive() {
    this.headset.arrive();
  }

  async #offer() {
    for (const mode of MODES) this.#buttons[mode].hidden = !(await offers(mode));
  }

  /** @param {Mode} mode */
  async #enter(mode) {
    try {
      await this.headset.enter(mode);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#onTrouble(`The headset did not open; is it on, and free? It says: ${why}`);
    }
  }

  /**
   * @param {Action} action
   * @param {NamedScene | null} scene
   */
  #act(action, scene) {
    const { headset } = this;
    if (action === "recentre") headset.recentre();
    else if (action === "leave") headset.leave();
    else if (action === "true") headset.resize(1 / headset.size);
    else if (action === "larger") headset.resize(SIZE_STEP);
    else if (action === "smaller") headset.resize(1 / SIZE_STEP);
    else if (scene) {
      this.#show(scene.id);
      this.#panel.close();
    }
  }

  /** Shows the scene before (-1) or after (1), around the ends. @param {number} way */
  step(way) {
    const id = neighbour(this.#scenes, this.#current, way);
    if (id !== null) this.#show(id);
  }
}
