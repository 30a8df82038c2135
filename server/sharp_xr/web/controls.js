// What hands can do: to the head by pointer, keys, gamepad and a phone's sensors, and by buttons to what they show.

import { sentenceFor } from "./api.js";
import { Gamepads } from "./gamepad.js";
import { Hint } from "./hint.js";
import { Keyboard } from "./keyboard.js";
import { byId } from "./parts.js";
import { bindPointer } from "./pointer.js";
import { Tilt } from "./tilt.js";
import { ViewPicker } from "./viewpicker.js";

const $ = (/** @type {string} */ id) => byId(id, HTMLElement);

export class Controls {
  #head;
  #tell;
  #keyboard;
  #gamepads;
  #tilt;
  #hint;

  /**
   * @param {object} parts
   * @param {import("./head.js").Head} parts.head
   * @param {import("./stage.js").Stage} parts.stage
   * @param {() => number} parts.focus how far the scene's near middle is, metres
   * @param {(way: number) => void} parts.onStep another scene is wanted: -1 or 1
   * @param {() => void} parts.onFigures
   * @param {() => void} parts.onMeasure
   * @param {() => void} parts.onLens
   * @param {() => void} parts.onPair
   * @param {(sentence: string) => void} parts.tell what did not work
   */
  constructor({ head, stage, focus, onStep, onFigures, onMeasure, onLens, onPair, tell }) {
    this.#head = head;
    this.#tell = tell;
    const views = new ViewPicker({ element: $("controls"), swapButton: $("swap-button"), stage });
    this.#keyboard = new Keyboard(window, head, {
      ...views.keys,
      r: () => head.recentre(),
      i: onFigures,
      m: onMeasure,
      l: onLens,
      p: onPair,
      f: toggleFullScreen,
    });
    this.#gamepads = new Gamepads({ head, onStep });
    this.#tilt = new Tilt({ head, focus });
    this.#hint = new Hint({
      element: $("hint"),
      storage: () => localStorage,
      words: matchMedia("(hover: none)").matches
        ? "Drag to lean · pinch to come closer"
        : "Drag to lean · scroll to come closer · Shift-drag to look around",
    });
    bindPointer(stage.canvas, head);
    $("centre-button").addEventListener("click", () => head.recentre());
    $("tilt-button").addEventListener("click", () => this.#toggleTilt());
    $("tilt-button").hidden = !Tilt.isOffered;
    $("flash-button").addEventListener("click", onMeasure);
    $("full-button").addEventListener("click", toggleFullScreen);
    $("full-button").hidden = !document.fullscreenEnabled;
  }

  /** The hands move the head. @param {number} seconds since the last call */
  advance(seconds) {
    this.#keyboard.advance(seconds);
    this.#gamepads.advance(seconds);
    this.#tilt.advance(seconds);
  }

  /** Once per turn of the display, also inside a headset. @param {boolean} hasPicture */
  remind(hasPicture) {
    this.#hint.update(hasPicture, this.#head.isTouched);
  }

  async #toggleTilt() {
    const press = (/** @type {boolean} */ isOn) => $("tilt-button").setAttribute("aria-pressed", String(isOn));
    try {
      press(!this.#tilt.isOn);
      await this.#tilt.toggle();
    } catch (error) {
      this.#tell(sentenceFor(error));
    }
    press(this.#tilt.isOn);
  }
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("stage").requestFullscreen?.();
}
