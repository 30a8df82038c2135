import assert from "node:assert/strict";
import { test } from "node:test";

import { RoundTrip } from "../../server/sharp_xr/web/roundtrip.js";

test("one way is half of the least round trip, because busy loops only add to it", () => {
  const trip = new RoundTrip();
  assert.equal(trip.wayMs, 0);
  for (const [sent, came] of [[100, 150], [200, 208], [300, 380]]) trip.hear(trip.ping(sent), came);
  assert.equal(trip.wayMs, 4);
});

test("what was quick long ago says nothing about a path of now", () => {
  const trip = new RoundTrip();
  trip.hear(trip.ping(0), 2);
  for (let at = 1000; at < 21_000; at += 1000) trip.hear(trip.ping(at), at + 30);
  assert.equal(trip.wayMs, 15);
});

test("a ping says nanoseconds of the page's clock", () => {
  assert.deepEqual(new RoundTrip().ping(1.5), { type: "ping", sent_ns: 1_500_000n });
});
