// Numbers and dates as people read them. A missing one is a dash.

const NONE = "–";

/** @param {number} number */
export function count(number) {
  if (number < 1000) return String(number);
  if (number < 999_500) return `${Math.round(number / 1000)} K`;
  return `${(number / 1e6).toFixed(1)} M`;
}

/**
 * @param {number | null | undefined} number
 * @param {number} digits
 * @param {string} [unit]
 */
export function fixed(number, digits, unit = "") {
  return number === null || number === undefined ? NONE : `${number.toFixed(digits)}${unit}`;
}

/** @param {number | null} share */
export function percent(share) {
  if (share === null) return NONE;
  // 99.96 % is not all of them.
  return share === 1 ? "100 %" : `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

/**
 * The time today, the day otherwise.
 * @param {number} created seconds since 1970
 * @param {Date} [now]
 * @param {string} [locale]
 */
export function date(created, now = new Date(), locale = undefined) {
  const then = new Date(created * 1000);
  const isToday = then.toDateString() === now.toDateString();
  const isThisYear = then.getFullYear() === now.getFullYear();
  /** @type {Intl.DateTimeFormatOptions} */
  const options = isToday
    ? { hour: "numeric", minute: "2-digit" }
    : { day: "numeric", month: "short", ...(isThisYear ? {} : { year: "numeric" }) };
  return new Intl.DateTimeFormat(locale, options).format(then);
}

/**
 * Minutes and seconds, as on a clock.
 * @param {number} seconds whole
 */
export function clockOf(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
