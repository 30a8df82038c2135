// What a value must look like: small checkers that return the value in the form the page uses, or
// throw an error whose sentence names the place ("scene.photo_fov.left") and what was wanted there.

/**
 * @template T
 * @typedef {(value: unknown, place: string) => T} Shape
 */
/** @typedef {{readonly isOptional: true}} Optional Of a field that may be left out. */
/** @typedef {Record<string, Shape<unknown>>} Fields */
/**
 * What a record with these fields is checked to be.
 * @template {Fields} F
 * @typedef {{[Name in keyof F]: ReturnType<F[Name]>}} Checked
 */
/**
 * What may be given for it.
 * @template {Fields} F
 * @typedef {{[Name in keyof F as F[Name] extends Optional ? never : Name]: ReturnType<F[Name]>}
 *   & {[Name in keyof F as F[Name] extends Optional ? Name : never]?: ReturnType<F[Name]>}} Given
 */

export class ProtocolError extends Error {}

/**
 * @param {string} place
 * @param {unknown} value
 * @param {string} wanted
 * @returns {never}
 */
function refuse(place, value, wanted) {
  const came = typeof value === "object" ? (value === null ? "null" : "another structure") : value;
  throw new ProtocolError(`${place} is ${came}, wanted ${wanted}`);
}

/** @type {Shape<string>} */
export function text(value, place) {
  return typeof value === "string" ? value : refuse(place, value, "text");
}

/**
 * A BigInt appears where the peer packed a large whole number into a field for real numbers.
 * @type {Shape<number>}
 */
export function real(value, place) {
  const number = typeof value === "bigint" ? Number(value) : value;
  return isNumber(number) && Number.isFinite(number) ? number : refuse(place, value, "a finite number");
}

/** @type {Shape<number>} */
export function whole(value, place) {
  const number = typeof value === "bigint" ? Number(value) : value;
  return isNumber(number) && Number.isSafeInteger(number)
    ? number
    : refuse(place, value, "a whole number");
}

/** @type {Shape<number>} */
export function uint32(value, place) {
  const fits = isNumber(value) && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
  return fits ? value : refuse(place, value, "a whole number from 0 to 2^32 - 1");
}

/**
 * Nanoseconds of a monotonic clock pass 2^53 after 104 days, so they are BigInt always.
 * @type {Shape<bigint>}
 */
export function nanoseconds(value, place) {
  if (typeof value === "bigint") return value;
  const isWhole = isNumber(value) && Number.isSafeInteger(value);
  return isWhole ? BigInt(value) : refuse(place, value, "whole nanoseconds");
}

/**
 * @template {string} Choice
 * @param {Choice[]} choices
 * @returns {Shape<Choice>}
 */
export function oneOf(...choices) {
  return (value, place) =>
    choices.find((choice) => choice === value) ?? refuse(place, value, `one of ${choices.join(", ")}`);
}

/**
 * @template T
 * @param {Shape<T>} shape
 * @returns {Shape<T | null> & Optional}
 */
export function nullable(shape) {
  return optional((value, place) => (value === null || value === undefined ? null : shape(value, place)));
}

/**
 * @template T
 * @param {Shape<T>} shape
 * @param {T} fallback
 * @returns {Shape<T> & Optional}
 */
export function withDefault(shape, fallback) {
  return optional((value, place) => (value === undefined ? fallback : shape(value, place)));
}

/**
 * @template T
 * @param {Shape<T>} shape
 * @param {number | null} [length]
 * @returns {Shape<T[]>}
 */
export function list(shape, length = null) {
  return (value, place) => {
    if (!Array.isArray(value)) return refuse(place, value, "a list");
    if (length !== null && value.length !== length) {
      return refuse(place, `a list of ${value.length}`, `a list of ${length}`);
    }
    return value.map((item, index) => shape(item, `${place}[${index}]`));
  };
}

/**
 * Fields that are not named are dropped: a newer peer may send more than this page knows.
 * @template {Fields} F
 * @param {F} fields
 * @returns {Shape<Checked<F>> & {readonly fields: F}}
 */
export function record(fields) {
  /** @type {Shape<Checked<F>>} */
  const shape = (value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return refuse(place, value, "a map");
    }
    const given = /** @type {Record<string, unknown>} */ (value);
    const taken = Object.entries(fields).map(([name, field]) => [
      name,
      field(given[name], `${place}.${name}`),
    ]);
    return /** @type {Checked<F>} */ (Object.fromEntries(taken));
  };
  return Object.assign(shape, { fields });
}

/**
 * @template T
 * @param {Shape<T>} shape
 * @returns {Shape<T> & Optional}
 */
function optional(shape) {
  return Object.assign(shape, { isOptional: /** @type {const} */ (true) });
}

/**
 * @param {unknown} value
 * @returns {value is number}
 */
function isNumber(value) {
  return typeof value === "number";
}
