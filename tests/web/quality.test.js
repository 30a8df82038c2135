import assert from "node:assert/strict";
import { test } from "node:test";

import { GOALS, Quality, qualityFigures } from "../../server/sharp_xr/web/quality.js";
import { told } from "./golden.js";
import { certain, standIn } from "./standin.js";

/** @typedef {import("../../server/sharp_xr/web/quality.js").Goal} Goal */

const TOLD = told("stream_quality");
const ABLE = { capabilities: ["quality"] };

class Button {
  pressed = "";
  click = () => {};

  /** @param {Goal} goal */
  constructor(goal) {
    this.dataset = { goal };
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  setAttribute(name, value) {
    assert.equal(name, "aria-pressed");
    this.pressed = value;
  }

  /**
   * @param {string} kind
   * @param {() => void} click
   */
  addEventListener(kind, click) {
    assert.equal(kind, "click");
    this.click = click;
  }
}

/** A group of buttons, as much of one as is needed. */
function group() {
  const buttons = GOALS.map((goal) => new Button(goal));
  const element = /** @type {HTMLElement} */ (standIn({ hidden: true, querySelectorAll: () => buttons }));
  return {
    element,
    pressed: () => buttons.filter(({ pressed }) => pressed === "true").map(({ dataset }) => dataset.goal),
    click: (/** @type {Goal} */ goal) => certain(buttons.find(({ dataset }) => dataset.goal === goal)).click(),
  };
}

/** @param {Record<string, string>} [kept] */
function made(kept = {}) {
  const buttons = group();
  /** @type {Goal[]} */
  const sent = [];
  const storage = {
    getItem: (/** @type {string} */ key) => kept[key] ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void (kept[key] = value),
  };
  const { element } = buttons;
  const quality = new Quality({ element, storage: () => storage, send: ({ goal }) => sent.push(goal) });
  return { ...buttons, sent, kept, quality };
}

test("is automatic until somebody chooses", () => {
  const { element, pressed, sent, quality } = made();
  quality.welcomed(ABLE);
  assert.deepEqual([pressed(), element.hidden, sent], [["auto"], false, []]);
});

test("tells the server what is chosen, and keeps it for the next visit", () => {
  const { pressed, click, sent, kept, quality } = made();
  quality.welcomed(ABLE);
  click("smoother");
  assert.deepEqual([pressed(), sent], [["smoother"], ["smoother"]]);
  const next = made(kept);
  assert.deepEqual(next.pressed(), ["smoother"]);
  next.quality.welcomed(ABLE);
  assert.deepEqual(next.sent, ["smoother"]);
});

test("tells every session anew, and forgets what the last one said", () => {
  const { sent, quality } = made();
  quality.choose("sharper");
  quality.welcomed(ABLE);
  quality.told = TOLD;
  quality.welcomed(ABLE);
  assert.deepEqual([sent, quality.told], [["sharper", "sharper"], null]);
});

test("says nothing to a server that knows no choice, and hides it", () => {
  const { element, sent, quality } = made();
  quality.welcomed({ capabilities: [] });
  quality.choose("sharper");
  assert.deepEqual([element.hidden, sent], [true, []]);
});

test("takes a kept word that is no choice for none", () => {
  assert.deepEqual(made({ "sharp-xr.quality": "ultra" }).pressed(), ["auto"]);
});

test("works in a browser that keeps nothing", () => {
  const refuse = () => {
    throw new Error("storage is blocked");
  };
  const { element, pressed, click } = group();
  /** @type {Goal[]} */
  const sent = [];
  const quality = new Quality({ element, storage: refuse, send: ({ goal }) => sent.push(goal) });
  quality.welcomed(ABLE);
  click("smoother");
  assert.deepEqual([pressed(), sent], [["smoother"], ["smoother"]]);
});

test("says in words what holds the stream back", () => {
  assert.deepEqual(qualityFigures(TOLD), {
    limit: "the network",
    most: "30 /s, 1.8 Mbit/s",
    detail: "50 %",
  });
  assert.equal(qualityFigures({ ...TOLD, limit: "machine" }).limit, "the server");
  assert.equal(qualityFigures({ ...TOLD, limit: "client" }).limit, "this device");
  assert.equal(qualityFigures({ ...TOLD, limit: "display" }).limit, "nothing");
  assert.ok(Object.values(qualityFigures(null)).every((text) => text === "–"));
});
