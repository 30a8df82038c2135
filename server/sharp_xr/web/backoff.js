// How long to wait before the next try: doubling, with a random part so that many pages do not come at once.

const FIRST_MS = 500;
const LONGEST_MS = 8000;

/**
 * Milliseconds.
 * @param {number} attempt how many came before
 * @param {number} [random] 0 to 1
 */
export function waitBefore(attempt, random = Math.random()) {
  const ceiling = Math.min(FIRST_MS * 2 ** attempt, LONGEST_MS);
  return Math.round(ceiling * (0.5 + 0.5 * random));
}
