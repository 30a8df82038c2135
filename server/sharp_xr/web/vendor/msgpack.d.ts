// What the page uses of msgpack.js.

interface Options {
  useBigInt64?: boolean;
  maxBinLength?: number;
  maxExtLength?: number;
}

export function encode(value: unknown, options?: Options): Uint8Array<ArrayBuffer>;
export function decode(bytes: Uint8Array, options?: Options): unknown;
