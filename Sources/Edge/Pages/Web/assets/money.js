// Amounts in minor units as people read them.
import { locale } from "./i18n.js";

// ISO 4217 gives the rupiah two decimals that nobody uses; here it has none.
const WITHOUT_MINOR = new Set(["IDR", "JPY", "KRW", "VND"]);

export function money(amount, currency) {
  const digits = WITHOUT_MINOR.has(currency) ? 0 : 2;
  return new Intl.NumberFormat(locale(), {
    style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits,
  }).format(Number(amount ?? 0) / 10 ** digits);
}
