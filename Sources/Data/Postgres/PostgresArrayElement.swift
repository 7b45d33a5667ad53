public import Environment

/// A value that can be an element of an array column or parameter. `[UInt8]` is `bytea`, every
/// other array is a one-dimensional PostgreSQL array without NULLs.
public protocol PostgresArrayElement: Sendable {
    static var postgresArrayType: PostgresType { get }
    static func encode(_ array: [Self], to parameters: inout PostgresParameters)
    static func decode(array text: UnsafeRawBufferPointer) -> [Self]?
}

extension PostgresArrayElement where Self: PostgresDecodable & CustomStringConvertible {
    public static func encode(_ array: [Self], to parameters: inout PostgresParameters) {
        let text = ArrayText.write(array.lazy.map(\.description), quoted: false)
        parameters.append(text: text, postgresArrayType)
    }

    public static func decode(array text: UnsafeRawBufferPointer) -> [Self]? {
        ArrayText.read(text)
    }
}

extension Int: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .int8Array }
}

extension Int64: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .int8Array }
}

extension Environment.UUID: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .uuidArray }
}

extension String: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .textArray }

    public static func encode(_ array: [String], to parameters: inout PostgresParameters) {
        parameters.append(text: ArrayText.write(array, quoted: true), .textArray)
    }
}

extension Instant: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .timestamptzArray }

    public static func encode(_ array: [Instant], to parameters: inout PostgresParameters) {
        let text = ArrayText.write(array.lazy.map(TimestampText.write), quoted: true)
        parameters.append(text: text, .timestamptzArray)
    }
}

extension UInt8: PostgresArrayElement {
    public static var postgresArrayType: PostgresType { .bytea }

    public static func encode(_ array: [UInt8], to parameters: inout PostgresParameters) {
        parameters.append(binary: array, .bytea)
    }

    /// The `hex` output of `bytea` (manual, section 8.4.1): `\x` and two digits for each byte.
    public static func decode(array text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count >= 2, text.count % 2 == 0, text[0] == 0x5C, text[1] == 0x78 else {
            return nil
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2 - 1)
        for index in stride(from: 2, to: text.count, by: 2) {
            guard let high = nibble(text[index]), let low = nibble(text[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}
