import assert from "node:assert/strict";
import { test } from "node:test";

import { BitrateMeter, DecodeMeter, FrameStatistics, percentile } from "../../server/sharp_xr/web/statistics.js";

test("counts frames per second over the last three seconds", () => {
  const statistics = new FrameStatistics();
  for (let at = 0; at <= 10_000; at += 20) statistics.add(at, 8);
  assert.equal(statistics.summary(10_000).fps, 50);
  assert.equal(statistics.summary(20_000).fps, null);
});

test("tells median and 95th percentile of the latency, and which share was matched", () => {
  const statistics = new FrameStatistics();
  for (let i = 1; i <= 100; i += 1) statistics.add(i, i);
  for (let i = 0; i < 100; i += 1) statistics.add(100, null);
  const { median, p95, matchedShare } = statistics.summary(100);
  assert.deepEqual([median, p95, matchedShare], [50, 95, 0.5]);
});

test("has no figures before the first frame", () => {
  assert.deepEqual(new FrameStatistics().summary(0), {
    fps: null,
    median: null,
    p95: null,
    age: null,
    ageP95: null,
    matchedShare: null,
  });
  assert.equal(percentile([], 0.5), null);
});

test("measures bits per second between two readings, not across a new connection", () => {
  const meter = new BitrateMeter();
  assert.equal(meter.read(1000, 0), null);
  assert.equal(meter.read(2000, 500), 16_000);
  assert.equal(meter.read(10, 1000), null);
  assert.equal(meter.read(1010, 2000), 8000);
});

test("measures bits over the same three seconds as frames, so that both speak of one time", () => {
  const meter = new BitrateMeter();
  meter.read(0, 0);
  assert.equal(meter.read(3000, 1000), 24_000);
  assert.equal(meter.read(3000, 2000), 12_000);
  assert.equal(meter.read(3000, 3900), 0);
});

test("tells how old the poses of frames were when these were shown", () => {
  const statistics = new FrameStatistics();
  for (let i = 1; i <= 100; i += 1) statistics.add(i, i, i + 10);
  const { age, ageP95 } = statistics.summary(100);
  assert.deepEqual([age, ageP95], [60, 105]);
});

test("decoding is the mean of the frames since the last reading, also across a new connection", () => {
  const meter = new DecodeMeter();
  const read = (/** @type {number} */ framesDecoded, /** @type {number} */ totalDecodeTime) => {
    meter.read({ framesDecoded, totalDecodeTime });
    return Math.round(meter.ms * 1000) / 1000;
  };
  assert.equal(read(10, 0.05), 5);
  assert.equal(read(20, 0.07), 2);
  assert.equal(read(20, 0.07), 2); // nothing new
  assert.equal(read(1, 0.004), 2); // a new connection
  assert.equal(read(3, 0.01), 3);
});
