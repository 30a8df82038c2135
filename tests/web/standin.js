// What tests put in the place of a browser's things, and what they know to be there.

import assert from "node:assert/strict";

/**
 * As much of a thing as the test needs, in its place.
 * @template T
 * @param {unknown} some
 * @returns {T}
 */
export function standIn(some) {
  return /** @type {T} */ (some);
}

/**
 * The value, which must be there.
 * @template T
 * @param {T | null | undefined} value
 * @returns {T}
 */
export function certain(value) {
  assert.ok(value !== null && value !== undefined, "nothing is there");
  return value;
}

/** Lets everything that has been answered go on. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
