// The registration form: reading it, hints while filling it in, errors at its fields.
import { byId, h, reconcile, set, text } from "./dom.js";
import { t } from "./i18n.js";
import { weekdays } from "./time.js";

const form = byId("register-form");

export function drawDays() {
  reconcile(byId("preferred-days"), weekdays(), ([name]) => name,
    ([name]) => h("label", { class: "chip check-chip" },
      h("input", { type: "checkbox", name: "preferred_days", value: name }), h("span")),
    (label, [, short]) => text(label.lastElementChild, short));
}

/// The body of register-course without choices and key.
export function readForm() {
  const data = new FormData(form);
  const word = (name) => String(data.get(name) ?? "").trim();
  const start = word("preferred_time_range.start");
  const end = word("preferred_time_range.end");
  return {
    full_name: word("full_name"),
    email: word("email"),
    address: word("address"),
    birth_place: word("birth_place"),
    birth_date: word("birth_date"),
    school: word("school"),
    class: Number.parseInt(word("class"), 10) || 0,
    guardian_name: word("guardian_name"),
    guardian_wa_number: plainNumber(word("guardian_wa_number")),
    consent: data.has("consent"),
    captcha_token: word("captcha_token"),
    experience_level: word("experience_level"),
    preferred_days: data.getAll("preferred_days"),
    preferred_time_range: start && end ? { start, end } : null,
  };
}

const plainNumber = (value) => value.replace(/[\s().-]/g, "");

/// People write 0812…, 62812… or 812…; all mean +62812….
function international(value) {
  const plain = plainNumber(value);
  if (/^0[1-9]\d{6,}$/.test(plain)) return `+62${plain.slice(1)}`;
  if (/^62\d{7,}$/.test(plain)) return `+${plain}`;
  if (/^8\d{7,}$/.test(plain)) return `+62${plain}`;
  return plain;
}

const rules = {
  email: (value) => (/^\S+@\S+$/.test(value) ? null : "hint.email"),
  guardian_wa_number: (value) => (/^\+62\d{6,}$/.test(plainNumber(value)) ? null : "hint.wa"),
  birth_date: (value) => (new Date(value) < new Date() ? null : "hint.date"),
  class: (value) => (Number(value) >= 1 && Number(value) <= 13 ? null : "hint.class"),
  "preferred_time_range.end": (value) =>
    (value === "" || value > form.elements["preferred_time_range.start"].value ? null : "hint.range"),
};

/// The key of the hint for one control, or null when it is fine.
function problem(control) {
  if (control.name === "consent") return control.checked ? null : "hint.consent";
  const value = control.value.trim();
  if (control.required && value === "") {
    return control.validity.badInput ? "hint.date" : "hint.required";
  }
  return rules[control.name]?.(value) ?? null;
}

function place(field) {
  const control = form.elements[field];
  if (control instanceof RadioNodeList) return { control: control[0], holder: byId("preferred-days").parentElement };
  return { control, holder: control?.closest(".field") };
}

// Hints are kept by key, so that they follow the language; server errors are kept as they came.
const shown = new Map();

function showAt(field, message) {
  const slot = document.querySelector(`[data-error-for="${CSS.escape(field)}"]`) ?? createSlot(field);
  if (!slot) return false;
  shown.set(field, message);
  text(slot, message.key ? t(message.key) : message.text);
  const { control } = place(field);
  if (control) {
    set(control, "aria-invalid", "true");
    set(control, "aria-describedby", slot.id);
  }
  return true;
}

function createSlot(field) {
  const { holder } = place(field);
  if (!holder) return null;
  const slot = h("p", { class: "error", id: `error-${field.replaceAll(".", "-")}`, "data-error-for": field });
  holder.append(slot);
  return slot;
}

function clearAt(field) {
  if (!shown.delete(field)) return;
  text(document.querySelector(`[data-error-for="${CSS.escape(field)}"]`), "");
  const { control } = place(field);
  if (control) {
    set(control, "aria-invalid", null);
    set(control, "aria-describedby", null);
  }
}

export function clearErrors() {
  for (const field of [...shown.keys()]) clearAt(field);
  hideFormError();
}

/// Checks every control; the number of problems, each shown at its place.
export function checkForm() {
  clearErrors();
  for (const control of form.elements) {
    if (!control.name) continue;
    const key = problem(control);
    if (key) showAt(control.name, { key });
  }
  return shown.size;
}

/// Shows the server's field violations. Those without a place on the page are returned.
export function showViolations(violations) {
  return violations.filter(({ field, description }) => {
    const message = { text: description };
    return !showAt(field, message) && !showAt(`${field}.start`, message)
      && !showAt(String(field).split(/[.[]/)[0], message);
  });
}

export function focusFirstError() {
  const control = form.querySelector("[aria-invalid=true]");
  if (control) control.focus();
  else byId("form-error").focus();
}

export function showFormError(message, code) {
  const box = byId("form-error");
  set(box, "data-code", code);
  box.hidden = false;
  text(box, message);
}

export function hideFormError() {
  const box = byId("form-error");
  box.hidden = true;
  text(box, "");
}

/// The words again, after the language changed.
export function redrawErrors() {
  for (const [field, message] of shown) showAt(field, message);
}

export function resetForm() {
  form.reset();
  clearErrors();
}

form.addEventListener("focusout", ({ target }) => {
  if (target.name === "guardian_wa_number" && target.value) target.value = international(target.value);
  // An untouched field is not scolded for being empty before the form is sent.
  if (!target.name || target.value === "" || target.type === "checkbox") return;
  const key = problem(target);
  if (key) showAt(target.name, { key });
  else clearAt(target.name);
});

form.addEventListener("input", ({ target }) => {
  if (shown.has(target.name) && !problem(target)) clearAt(target.name);
});
