import assert from "node:assert/strict";
import { test } from "node:test";

import { GOALS, Quality, qualityFigures } from "../../server/sharp_xr/web/quality.js";
import { fromServer } from "./golden.js";

const ABLE = { capabilities: ["quality"] };

// A group of buttons, as much of one as is needed.
function group() {
  const buttons = GOALS.map((goal) => ({
    dataset: { goal },
    setAttribute(name, value) {
      this[name] = value;
    },
    addEventListener(kind, click) {
      this[kind] = click;
    },
  }));
  return {
    hidden: true,
    buttons,
    querySelectorAll: () => buttons,
    pressed: () => buttons.filter((button) => button["aria-pressed"] === "true").map(({ dataset }) => dataset.goal),
    click: (goal) => buttons.find(({ dataset }) => dataset.goal === goal).click(),
  };
}

function made(kept = {}) {
  const element = group();
  const sent = [];
  const storage = { getItem: (key) => kept[key] ?? null, setItem: (key, value) => (kept[key] = value) };
  const quality = new Quality({ element, storage: () => storage, send: (message) => sent.push(message.goal) });
  return { element, sent, kept, quality };
}

test("is automatic until somebody chooses", () => {
  const { element, sent, quality } = made();
  quality.welcomed(ABLE);
  assert.deepEqual([element.pressed(), element.hidden, sent], [["auto"], false, []]);
});

test("tells the server what is chosen, and keeps it for the next visit", () => {
  const { element, sent, kept, quality } = made();
  quality.welcomed(ABLE);
  element.click("smoother");
  assert.deepEqual([element.pressed(), sent], [["smoother"], ["smoother"]]);
  const next = made(kept);
  assert.deepEqual(next.element.pressed(), ["smoother"]);
  next.quality.welcomed(ABLE);
  assert.deepEqual(next.sent, ["smoother"]);
});

test("tells every session anew, and forgets what the last one said", () => {
  const { sent, quality } = made();
  quality.choose("sharper");
  quality.welcomed(ABLE);
  quality.told = fromServer.find(({ name }) => name === "stream quality").message;
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
  assert.deepEqual(made({ "sharp-xr.quality": "ultra" }).element.pressed(), ["auto"]);
});

test("works in a browser that keeps nothing", () => {
  const refuse = () => {
    throw new Error("storage is blocked");
  };
  const [element, sent] = [group(), []];
  const quality = new Quality({ element, storage: refuse, send: ({ goal }) => sent.push(goal) });
  quality.welcomed(ABLE);
  element.click("smoother");
  assert.deepEqual([element.pressed(), sent], [["smoother"], ["smoother"]]);
});

test("says in words what holds the stream back", () => {
  const told = fromServer.find(({ name }) => name === "stream quality").message;
  assert.deepEqual(qualityFigures(told), {
    limit: "the network",
    most: "30 /s, 1.8 Mbit/s",
    detail: "50 %",
  });
  assert.equal(qualityFigures({ ...told, limit: "machine" }).limit, "the server");
  assert.equal(qualityFigures({ ...told, limit: "client" }).limit, "this device");
  assert.equal(qualityFigures({ ...told, limit: "display" }).limit, "nothing");
  assert.ok(Object.values(qualityFigures(null)).every((text) => text === "–"));
});
