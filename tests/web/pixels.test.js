import assert from "node:assert/strict";
import { test } from "node:test";

import { Pixels } from "../../server/sharp_xr/web/pixels.js";
import { certain, standIn } from "./standin.js";

/**
 * A frame that is all of one value.
 * @param {number} value
 * @param {object} [other]
 */
function frame(value, other = {}) {
  return /** @type {VideoFrame} */ (standIn({
    displayWidth: 4,
    displayHeight: 2,
    allocationSize: (/** @type {{format: string}} */ { format }) => (format === "RGBX" ? 32 : 12),
    async copyTo(/** @type {Uint8Array} */ memory, /** @type {{format: string}} */ { format }) {
      assert.equal(format, "RGBX");
      memory.fill(value);
    },
    ...other,
  }));
}

test("each frame's pixels are written where the last one's were", async () => {
  const pixels = new Pixels();
  const first = certain(await pixels.of(frame(7)));
  assert.deepEqual([...first], Array(32).fill(7));
  const second = await pixels.of(frame(9));
  assert.equal(second, first);
  assert.equal(first[31], 9);
});

test("a frame of another size gets as many bytes as it has pixels", async () => {
  const pixels = new Pixels();
  await pixels.of(frame(7));
  const larger = await pixels.of(frame(8, { displayHeight: 3, allocationSize: () => 48 }));
  assert.equal(certain(larger).length, 48);
});

test("a browser that gives other formats than asked for is not read as if it had not", async () => {
  const pixels = new Pixels();
  const old = { allocationSize: () => 12 };
  assert.equal(await pixels.of(frame(7, old)), null);
  assert.equal(await pixels.of(frame(7, old)), null);
});

test("what could not be copied is not tried for each frame again", async () => {
  const pixels = new Pixels();
  let tries = 0;
  const refused = {
    async copyTo() {
      tries += 1;
      throw new Error("NotSupportedError");
    },
  };
  for (let i = 0; i < 3; i++) assert.equal(await pixels.of(frame(7, refused)), null);
  assert.equal(tries, 1);
});
