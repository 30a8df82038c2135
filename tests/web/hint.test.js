import assert from "node:assert/strict";
import { test } from "node:test";

import { Hint } from "../../server/sharp_xr/web/hint.js";

/** A browser: what it keeps outlives the pages that are opened in it. */
function browser() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  const storage = {
    getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void kept.set(key, value),
  };
  return () => open(() => storage);
}

/** @param {ConstructorParameters<typeof Hint>[0]["storage"]} storage */
function open(storage) {
  const element = { hidden: true, textContent: "" };
  return { element, hint: new Hint({ element, storage, words: "Drag to lean" }) };
}

test("is said while there is a picture that nobody has moved in", () => {
  const { element, hint } = browser()();
  hint.update(false, false);
  assert.equal(element.hidden, true);
  hint.update(true, false);
  assert.deepEqual(element, { hidden: false, textContent: "Drag to lean" });
  hint.update(true, true);
  assert.equal(element.hidden, true);
});

test("is not said again: neither in the next scene nor on the next visit", () => {
  const visit = browser();
  const first = visit();
  first.hint.update(true, false);
  first.hint.update(true, true);
  first.hint.update(true, false);
  assert.equal(first.element.hidden, true);
  const second = visit();
  second.hint.update(true, false);
  assert.equal(second.element.hidden, true);
});

test("who left without moving is told again", () => {
  const visit = browser();
  visit().hint.update(true, false);
  const { element, hint } = visit();
  hint.update(true, false);
  assert.equal(element.hidden, false);
});

test("a browser that keeps nothing is told once a visit", () => {
  const visit = () =>
    open(() => {
      throw new Error("storage is off");
    });
  const { element, hint } = visit();
  hint.update(true, true);
  hint.update(true, false);
  assert.equal(element.hidden, true);
  const again = visit();
  again.hint.update(true, false);
  assert.equal(again.element.hidden, false);
});
