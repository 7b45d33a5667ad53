// The registration form: reading it, and the rules of its fields.
import { CheckedForm, isEmail, isTelephone, plainNumber } from "./checked-form.js";
import { byId, h, reconcile, text } from "./dom.js";
import { weekdays } from "./time.js";

const form = byId("register-form");

export function drawDays() {
  reconcile(byId("preferred-days"), weekdays(), ([name]) => name,
    ([name]) => h("label", { class: "chip check-chip" },
      h("input", { type: "checkbox", name: "preferred_days", value: name }), h("span")),
    (label, [, short]) => text(label.lastElementChild, short));
}

/// The body of register-course without choices, proof, captcha and key.
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
    experience_level: word("experience_level"),
    preferred_days: data.getAll("preferred_days"),
    preferred_time_range: start && end ? { start, end } : null,
  };
}

const PROOF_BYTES = 5 << 20;

const rules = {
  payment_proof: () =>
    (form.elements.payment_proof.files[0]?.size > PROOF_BYTES ? "hint.proof" : null),
  email: isEmail,
  guardian_wa_number: isTelephone,
  birth_date: (value) => (new Date(value) < new Date() ? null : "hint.date"),
  class: (value) => (Number(value) >= 1 && Number(value) <= 13 ? null : "hint.class"),
  "preferred_time_range.end": (value) =>
    (value === "" || value > form.elements["preferred_time_range.start"].value ? null : "hint.range"),
};

export const checked = new CheckedForm(form, byId("form-error"), rules);
