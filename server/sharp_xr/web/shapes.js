// What a value must look like: small checkers that return the value in the form the page uses, or
// throw an error whose sentence names the place ("scene.photo_fov.left") and what was wanted there.

export class ProtocolError extends Error {}

function refuse(place, value, wanted) {
  const came = typeof value === "object" ? (value === null ? "null" : "another structure") : value;
  throw new ProtocolError(`${place} is ${came}, wanted ${wanted}`);
}

export function text(value, place) {
  return typeof value === "string" ? value : refuse(place, value, "text");
}

// A BigInt appears where the peer packed a large whole number into a field for real numbers.
export function real(value, place) {
  const number = typeof value === "bigint" ? Number(value) : value;
  return Number.isFinite(number) ? number : refuse(place, value, "a finite number");
}

export function whole(value, place) {
  const number = typeof value === "bigint" ? Number(value) : value;
  return Number.isSafeInteger(number) ? number : refuse(place, value, "a whole number");
}

export function uint32(value, place) {
  const fits = Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
  return fits ? value : refuse(place, value, "a whole number from 0 to 2^32 - 1");
}

// Nanoseconds of a monotonic clock pass 2^53 after 104 days, so they are BigInt always.
export function nanoseconds(value, place) {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
  return isWhole ? BigInt(value) : refuse(place, value, "whole nanoseconds");
}

export function oneOf(...choices) {
  return (value, place) =>
    choices.includes(value) ? value : refuse(place, value, `one of ${choices.join(", ")}`);
}

export function nullable(shape) {
  return (value, place) => (value === null || value === undefined ? null : shape(value, place));
}

export function withDefault(shape, fallback) {
  return (value, place) => (value === undefined ? fallback : shape(value, place));
}

export function list(shape, length = null) {
  return (value, place) => {
    if (!Array.isArray(value)) refuse(place, value, "a list");
    if (length !== null && value.length !== length) {
      refuse(place, `a list of ${value.length}`, `a list of ${length}`);
    }
    return value.map((item, index) => shape(item, `${place}[${index}]`));
  };
}

// Fields that are not named are dropped: a newer peer may send more than this page knows.
export function record(fields) {
  const names = Object.keys(fields);
  return (value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      refuse(place, value, "a map");
    }
    return Object.fromEntries(
      names.map((name) => [name, fields[name](value[name], `${place}.${name}`)]),
    );
  };
}
