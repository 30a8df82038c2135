import assert from "node:assert/strict";
import { test } from "node:test";

import { waitBefore } from "../../server/sharp_xr/web/backoff.js";

test("waits double up to eight seconds", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 50].map((attempt) => waitBefore(attempt, 1)), [
    500, 1000, 2000, 4000, 8000, 8000,
  ]);
});

test("half of a wait is left to chance", () => {
  assert.equal(waitBefore(4, 0), 4000);
  assert.equal(waitBefore(4, 0.5), 6000);
});
