// The bytes that freeze the wire, shared with the Python tests.

import { readFileSync } from "node:fs";

export const golden = JSON.parse(
  readFileSync(new URL("../protocol/golden.json", import.meta.url), "utf8"),
).map((vector) => ({ ...vector, bytes: Uint8Array.from(Buffer.from(vector.hex, "hex")) }));

export const fromServer = golden.filter(({ direction }) => direction === "from_server");
export const fromClient = golden.filter(({ direction }) => direction === "from_client");

// Nanoseconds as numbers again, as JSON has them.
export function plain(value) {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}
