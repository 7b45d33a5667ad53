// The language of the page: chosen, remembered, announced to whoever draws words.
import { words } from "./words.js";

const KEY = "janji.language";
const listeners = new Set();

function initial() {
  const remembered = read();
  if (remembered in words) return remembered;
  const preferred = navigator.languages?.length ? navigator.languages : [navigator.language];
  return /^(id|in|ms|jv|su)\b/i.test(preferred[0] ?? "") ? "id" : "en";
}

// Storage may be forbidden (private windows); the page then forgets, and works.
function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // Nothing to do: only the memory is lost.
  }
}

let language = initial();

/// The BCP 47 tag for dates and numbers.
export const locale = () => (language === "id" ? "id-ID" : "en-GB");

/// The words for a key; `{name}` is filled in, and `[one, other]` chosen by `count`.
export function t(key, values = {}) {
  let template = words[language][key] ?? words.en[key] ?? key;
  if (Array.isArray(template)) {
    const one = new Intl.PluralRules(locale()).select(values.count ?? 0) === "one";
    template = template[one ? 0 : 1];
  }
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const has = (key) => key in words.en;

export function onLanguage(listener) {
  listeners.add(listener);
}

const attributes = {
  i18nLabel: "aria-label",
  i18nPlaceholder: "placeholder",
};

/// Writes the words of every marked element below `root`.
export function translate(root = document) {
  for (const element of root.querySelectorAll("[data-i18n]")) {
    element.textContent = t(element.dataset.i18n);
  }
  for (const [data, attribute] of Object.entries(attributes)) {
    const marked = `[data-${data.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}]`;
    for (const element of root.querySelectorAll(marked)) {
      element.setAttribute(attribute, t(element.dataset[data]));
    }
  }
}

function apply() {
  document.documentElement.lang = language;
  translate();
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const listener of listeners) listener();
}

/// Call once per page, after the listeners are there.
export function startLanguages() {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      language = button.dataset.language;
      remember(language);
      apply();
    });
  }
  apply();
}
