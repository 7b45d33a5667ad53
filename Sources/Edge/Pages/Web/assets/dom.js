// Building and updating elements without a framework and without markup in strings.

/// An element: `h("button", { type: "button", class: "primary", onclick }, "Save")`.
/// `null`, `undefined` and `false` attributes are left out; `true` makes an empty attribute.
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else set(element, key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/// Sets or removes one attribute (aria booleans are written out), touching the document only when it differs.
export function set(element, name, value) {
  if (name.startsWith("aria-") && typeof value === "boolean") value = String(value);
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else {
    const text = value === true ? "" : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/// Sets the text of an element, touching the document only when it differs.
export function text(element, value) {
  const next = value ?? "";
  if (element.textContent !== next) element.textContent = next;
}

export const byId = (id) => document.getElementById(id);

const rows = new WeakMap();

/// Makes the children of `parent` follow `items`. A node lives as long as its key does and is not
/// moved when only others change, so focus, clicks in progress and screen readers stay with it.
export function reconcile(parent, items, keyOf, create, update) {
  const known = rows.get(parent) ?? new Map();
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  for (const [key, node] of known) {
    if (!wanted.has(key)) {
      node.remove();
      known.delete(key);
    }
  }
  let place = parent.firstChild;
  for (const [key, item] of wanted) {
    let node = known.get(key);
    if (!node) {
      node = create(item);
      known.set(key, node);
    }
    update(node, item);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  rows.set(parent, known);
}
