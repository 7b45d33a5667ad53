/// Amounts as providers write them (major units with decimals) and as we count them.
public enum MinorUnits {
    /// Decimals of a currency's minor unit (ISO 4217); the rupiah's sen is not in use.
    public static func decimals(of currency: String) -> Int {
        switch currency {
        case "IDR", "JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF": 0
        case "BHD", "JOD", "KWD", "OMR", "TND": 3
        default: 2
        }
    }

    /// `150000` IDR is "150000", `1050` USD is "10.50".
    public static func text(_ amount: Int64, _ currency: String) -> String {
        let decimals = decimals(of: currency)
        guard decimals > 0 else { return String(amount) }
        let digits = String(amount.magnitude)
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return (amount < 0 ? "-" : "") + padded.dropLast(decimals) + "."
            + padded.suffix(decimals)
    }

    /// Nil unless it is digits with optional decimals, and a whole number of minor units:
    /// "150000.00" IDR is 150000, "150000.50" IDR is nothing.
    public static func parse(_ text: String, _ currency: String) -> Int64? {
        let parts = text.utf8.split(
            separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? Array(parts[1]) : []
        guard let whole = parts.first, !whole.isEmpty, parts.count == 1 || !fraction.isEmpty,
            whole.allSatisfy(isDigit), fraction.allSatisfy(isDigit)
        else { return nil }
        let decimals = decimals(of: currency)
        guard fraction.dropFirst(decimals).allSatisfy({ $0 == UInt8(ascii: "0") }) else {
            return nil
        }
        let kept = Array(fraction.prefix(decimals))
        let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: decimals - kept.count)
        return Int64(String(decoding: Array(whole) + kept + zeros, as: UTF8.self))
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
