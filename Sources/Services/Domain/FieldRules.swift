public import Environment
public import Protobuf
import Schema

/// Collects what is wrong with a request, all of it, before anything is done (VALIDATION_FAILED).
public struct FieldRules {
    public private(set) var violations: [DomainError.Violation] = []

    public init() {}

    public mutating func refuse(_ field: String, _ why: String) {
        violations.append(DomainError.Violation(field, why))
    }

    /// Text with something in it, at most `limit` characters long.
    public mutating func text(_ value: String, _ field: String, limit: Int, required: Bool = true) {
        if required, !value.contains(where: { !$0.isWhitespace }) {
            refuse(field, "is required")
        } else if value.unicodeScalars.count > limit {
            refuse(field, "is longer than \(limit) characters")
        } else if value.unicodeScalars.contains(where: { $0.value < 32 && $0.value != 10 }) {
            refuse(field, "holds control characters")
        }
    }

    /// A UUID, or nil when it is none.
    public mutating func uuid(_ value: String, _ field: String) -> UUID? {
        if let uuid = UUID(value) { return uuid }
        refuse(field, value.isEmpty ? "is required" : "is not a UUID")
        return nil
    }

    /// An optional UUID; nil also when it is none.
    public mutating func optionalUUID(_ value: String?, _ field: String) -> UUID? {
        value.flatMap { uuid($0, field) }
    }

    /// An address of the shape local@domain.tld, at most 254 bytes (A-03).
    public mutating func email(_ value: String, _ field: String) {
        if !Self.isEmail(value) { refuse(field, "is not an e-mail address") }
    }

    /// A calendar date in the form YYYY-MM-DD.
    public mutating func date(_ value: String, _ field: String) -> LocalDate? {
        if let date = LocalDate(value) { return date }
        refuse(field, "is not a date of the form YYYY-MM-DD")
        return nil
    }

    /// A point in time within the years 0001…9999, as protobuf and RFC 3339 know them; nil when it
    /// is absent or none.
    public mutating func instant(
        _ value: GoogleProtobuf.Timestamp?, _ field: String
    ) -> Instant? {
        guard let value else { return nil }
        if Self.seconds.contains(value.seconds), (0..<1_000_000_000).contains(value.nanos) {
            return Instant(value)
        }
        refuse(field, "is not a time in the years 0001 to 9999")
        return nil
    }

    /// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
    static let seconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// An idempotency key that a request may carry.
    public mutating func key(_ value: String?) {
        if let value { text(value, "idempotency_key", limit: 200) }
    }

    /// Nothing was refused so far: what was read is there.
    public var areKept: Bool { violations.isEmpty }

    /// - Throws: ``refusal``, when there is one.
    public func check() throws(DomainError) {
        guard areKept else { throw refusal }
    }

    /// VALIDATION_FAILED with every violation.
    public var refusal: DomainError {
        let fields = violations.map(\.field).joined(separator: ", ")
        return DomainError(
            .validationFailed, "these fields are not valid: \(fields)", violations: violations)
    }

    /// The UUID in the only field of a request that has to be looked at.
    public static func uuid(_ value: String, only field: String) throws(DomainError) -> UUID {
        var rules = FieldRules()
        guard let uuid = rules.uuid(value, field) else { throw rules.refusal }
        return uuid
    }

    static func isEmail(_ value: String) -> Bool {
        let bytes = Array(value.utf8)
        guard bytes.count <= 254, let at = bytes.lastIndex(of: UInt8(ascii: "@")) else {
            return false
        }
        let local = bytes[..<at]
        let domain = bytes[(at + 1)...]
        guard !local.isEmpty, local.count <= 64, local.allSatisfy(isLocal), !hasBadDots(local),
            !hasBadDots(domain)
        else { return false }
        let labels = domain.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.count >= 2 && labels.allSatisfy(isLabel)
            && (labels.last?.count ?? 0) >= 2
    }

    private static func hasBadDots(_ part: ArraySlice<UInt8>) -> Bool {
        let dot = UInt8(ascii: ".")
        return part.first == dot || part.last == dot
            || zip(part, part.dropFirst()).contains { $0 == dot && $1 == dot }
    }

    private static func isLocal(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || byte >= 0x80 || "!#$%&'*+/=?^_`{|}~.-".utf8.contains(byte)
    }

    private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
        let dash = UInt8(ascii: "-")
        return !label.isEmpty && label.count <= 63 && label.first != dash && label.last != dash
            && label.allSatisfy { isLetterOrDigit($0) || $0 == dash || $0 >= 0x80 }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

/// Codes of currencies (ISO 4217).
public enum Currency {
    /// Three capitals; which of them are in use changes with the years and is not checked.
    public static func isCode(_ text: String) -> Bool {
        text.utf8.count == 3
            && text.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }
}
