import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode } from "../../server/sharp_xr/web/vendor/msgpack.js";
import {
  FROM_CLIENT,
  FROM_SERVER,
  ProtocolError,
  VersionError,
  decodeMessage,
  encodeMessage,
} from "../../server/sharp_xr/web/wire.js";
import { fromClient, fromServer, golden, plain, told } from "./golden.js";
import { certain } from "./standin.js";

const problem = (/** @type {object} */ fields) => encode({ type: "problem", ...fields });

for (const { name, bytes, message } of fromServer) {
  test(`reads the golden bytes of a server's ${name}`, () => {
    assert.deepEqual(plain(decodeMessage(bytes)), message);
  });
}

for (const { name, bytes, message } of fromClient) {
  test(`writes what the golden bytes of a client's ${name} say`, () => {
    assert.deepEqual(decode(encodeMessage(message)), decode(bytes));
  });
}

test("knows every message that the golden bytes know", () => {
  const types = (/** @type {string} */ direction) =>
    golden.filter((vector) => vector.direction === direction).map(({ message }) => message.type);
  assert.deepEqual(new Set(types("from_client")), new Set(Object.keys(FROM_CLIENT)));
  assert.deepEqual(new Set(types("from_server")), new Set(Object.keys(FROM_SERVER)));
});

test("keeps every digit of a clock that passed 2^53 nanoseconds", () => {
  const bytes = encode({ type: "ping", sent_ns: 9007199254740993n }, { useBigInt64: true });
  assert.deepEqual(decodeMessage(bytes), { type: "ping", sent_ns: 9007199254740993n });
  const pong = encodeMessage({ type: "pong", sent_ns: 9007199254740993n, clock_ns: 1n });
  const read = /** @type {{sent_ns: bigint}} */ (decode(pong, { useBigInt64: true }));
  assert.equal(read.sent_ns, 9007199254740993n);
});

test("refuses another version with a sentence that names both", () => {
  const bytes = encode({ ...told("welcome"), version: 99, video: "of another shape" });
  assert.throws(() => decodeMessage(bytes), (error) => {
    assert.ok(error instanceof VersionError);
    assert.match(error.message, /version 99, this page speaks 2: reload/);
    return true;
  });
});

test("refuses what is not of the protocol, naming the place", () => {
  /** @type {[Uint8Array, RegExp][]} */
  const cases = [
    [Uint8Array.from([0xc1]), /not msgpack/],
    [encode([1, 2]), /type undefined/],
    [encode({ type: "toString" }), /type toString/],
    [encode({ type: "hello" }), /type hello/], // a client's message
    [problem({}), /problem\.message is undefined, wanted text/],
    [problem({ message: 7 }), /problem\.message is 7, wanted text/],
    [new Uint8Array((1 << 20) + 1), /1048577 bytes/],
    [encode({ type: "progress", job: "j", stage: "nap", fraction: 0.5 }), /stage is nap, wanted one of/],
    [encode({ type: "progress", job: "j", stage: "store", fraction: NaN }), /fraction is NaN/],
  ];
  for (const [bytes, sentence] of cases) {
    assert.throws(() => decodeMessage(bytes), (error) => {
      assert.ok(error instanceof ProtocolError, String(error));
      assert.match(error.message, sentence);
      return true;
    });
  }
});

test("refuses to send a pose with a NaN or a negative key", () => {
  const { message } = certain(fromClient.find(({ name }) => name === "tracking"));
  assert.ok(message.type === "tracking");
  const head = { ...message.head, position: [0, NaN, 0] };
  assert.throws(() => encodeMessage({ ...message, head }), /tracking\.head\.position\[1\] is NaN/);
  assert.throws(() => encodeMessage({ ...message, key: -1 }), /tracking\.key is -1/);
});

test("ignores fields of a newer server and fills in those that have a default", () => {
  const bytes = encode({ type: "progress", job: "j", stage: "store", fraction: 1, mood: "good" });
  assert.deepEqual(decodeMessage(bytes), {
    type: "progress",
    job: "j",
    stage: "store",
    fraction: 1,
    message: "",
  });
});
