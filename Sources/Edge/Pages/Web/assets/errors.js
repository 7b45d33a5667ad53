// An API error in the reader's language.
import { has, t } from "./i18n.js";

export function explain(error) {
  const key = `error.${error.code}`;
  if (has(key)) return t(key);
  return error.status === 0 ? t("error.NETWORK") : error.message;
}
