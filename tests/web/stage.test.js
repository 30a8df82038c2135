import assert from "node:assert/strict";
import { test } from "node:test";

import { fitInside } from "../../server/sharp_xr/web/stage.js";

test("the picture is as large as its shape allows", () => {
  assert.deepEqual(fitInside(1000, 400, 1.5), [600, 400]);
  assert.deepEqual(fitInside(300, 400, 1.5), [300, 200]);
  assert.deepEqual(fitInside(300, 200, 1.5), [300, 200]);
});
