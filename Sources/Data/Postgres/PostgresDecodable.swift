public import Environment

/// A value that can be read from a column. The server sends text (UTF-8, ISO dates at UTC).
public protocol PostgresDecodable {
    /// Nil when the text is not one of these values. `text` is valid only during the call.
    init?(postgresText text: UnsafeRawBufferPointer)

    /// What NULL decodes to; nil for types that cannot be NULL.
    static var postgresNull: Self? { get }
}

extension PostgresDecodable {
    public static var postgresNull: Self? { nil }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        guard let value = Wrapped(postgresText: text) else { return nil }
        self = .some(value)
    }

    public static var postgresNull: Wrapped?? { .some(.none) }
}

extension String: PostgresDecodable {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        self = String(decoding: text, as: UTF8.self)
    }
}

extension PostgresDecodable where Self: FixedWidthInteger & SignedInteger {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        let isNegative = text.first == 0x2D
        let digits = isNegative ? text.dropFirst() : text[...]
        guard !digits.isEmpty else { return nil }
        var value: Self = 0
        for byte in digits {
            guard case 0x30...0x39 = byte else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            // Built downwards, since the smallest value has no positive twin.
            let (sum, sumOverflow) = product.subtractingReportingOverflow(Self(byte - 0x30))
            guard !overflow, !sumOverflow else { return nil }
            value = sum
        }
        if isNegative {
            self = value
        } else {
            guard value != .min else { return nil }
            self = -value
        }
    }
}

extension Int: PostgresDecodable {}
extension Int32: PostgresDecodable {}
extension Int64: PostgresDecodable {}

extension Bool: PostgresDecodable {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        guard text.count == 1, text[0] == 0x74 || text[0] == 0x66 else { return nil }
        self = text[0] == 0x74
    }
}

extension Double: PostgresDecodable {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        self.init(String(decoding: text, as: UTF8.self))
    }
}

extension Environment.UUID: PostgresDecodable {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        self.init(String(decoding: text, as: UTF8.self))
    }
}

extension Instant: PostgresDecodable {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        guard let instant = TimestampText.read(text) else { return nil }
        self = instant
    }
}

extension LocalDate: PostgresDecodable {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        guard let date = TimestampText.readDate(text) else { return nil }
        self = date
    }
}

extension JSONText: PostgresDecodable {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        self.init(String(decoding: text, as: UTF8.self))
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    public init?(postgresText text: UnsafeRawBufferPointer) {
        guard let elements = Element.decode(array: text) else { return nil }
        self = elements
    }
}
