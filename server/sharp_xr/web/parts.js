// The page's elements, found by name and checked to be of the kind that they are used as.

/**
 * The one inside of `within` that has this data-part.
 * @template {HTMLElement} E
 * @param {ParentNode} within
 * @param {string} name
 * @param {new () => E} kind
 * @returns {E}
 */
export function part(within, name, kind) {
  return checked(within.querySelector(`[data-part=${name}]`), `data-part=${name}`, kind);
}

/**
 * The one of the page that has this id.
 * @template {HTMLElement} E
 * @param {string} id
 * @param {new () => E} kind
 * @returns {E}
 */
export function byId(id, kind) {
  return checked(document.getElementById(id), `id=${id}`, kind);
}

/**
 * @template {HTMLElement} E
 * @param {Element | null} found
 * @param {string} name
 * @param {new () => E} kind
 * @returns {E}
 */
function checked(found, name, kind) {
  if (found instanceof kind) return found;
  throw new Error(`The page has no ${kind.name} with ${name}.`);
}
