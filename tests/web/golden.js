// The bytes that freeze the wire, shared with the Python tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { certain } from "./standin.js";

/** @typedef {import("../../server/sharp_xr/web/wire.js").FromServer} FromServer */
/** @typedef {import("../../server/sharp_xr/web/wire.js").FromClient} FromClient */
/** @typedef {{name: string, direction: "from_server" | "from_client", hex: string, message: {type: string}}} Vector */

/** @type {Vector[]} */
const vectors = JSON.parse(
  readFileSync(new URL("../protocol/golden.json", import.meta.url), "utf8"),
);
export const golden = vectors.map((vector) => ({
  ...vector,
  bytes: Uint8Array.from(Buffer.from(vector.hex, "hex")),
}));

export const fromServer = golden.filter(({ direction }) => direction === "from_server");
export const fromClient = golden
  .filter(({ direction }) => direction === "from_client")
  .map((vector) => ({ ...vector, message: /** @type {FromClient} */ (vector.message) }));

/**
 * A message of the server. Numbers are as JSON has them, also nanoseconds.
 * @template {FromServer["type"]} Type
 * @param {Type} type
 * @param {string} [name] of its vector
 * @returns {Extract<FromServer, {type: Type}>}
 */
export function told(type, name = type.replaceAll("_", " ")) {
  const { message } = certain(fromServer.find((vector) => vector.name === name));
  assert.equal(message.type, type);
  return /** @type {Extract<FromServer, {type: Type}>} */ (message);
}

/**
 * Nanoseconds as numbers again, as JSON has them.
 * @param {unknown} value
 * @returns {unknown}
 */
export function plain(value) {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}
