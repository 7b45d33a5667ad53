/// Writes the plain wire format, without a schema.
public struct WireWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    public mutating func tag(_ number: UInt32, _ type: WireType) {
        varint(UInt64(number) << 3 | UInt64(type.rawValue))
    }

    public mutating func fixed32(_ value: UInt32) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    public mutating func fixed64(_ value: UInt64) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Bytes as they are, without a length.
    public mutating func raw(_ value: some Sequence<UInt8>) {
        bytes.append(contentsOf: value)
    }

    public mutating func lengthDelimited(_ value: [UInt8]) {
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    // MARK: Whole fields

    public mutating func field(_ number: UInt32, varint value: UInt64) {
        tag(number, .varint)
        varint(value)
    }

    public mutating func field(_ number: UInt32, bytes value: [UInt8]) {
        tag(number, .bytes)
        lengthDelimited(value)
    }

    public mutating func field(_ number: UInt32, string value: String) {
        tag(number, .bytes)
        varint(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    public mutating func field(_ number: UInt32, fixed32 value: UInt32) {
        tag(number, .fixed32)
        fixed32(value)
    }

    public mutating func field(_ number: UInt32, fixed64 value: UInt64) {
        tag(number, .fixed64)
        fixed64(value)
    }

    /// A length-prefixed message written by `body`.
    public mutating func field(_ number: UInt32, message body: (inout WireWriter) -> Void) {
        var inner = WireWriter()
        body(&inner)
        field(number, bytes: inner.bytes)
    }
}

/// ZigZag mapping of `sint32` and `sint64` (encoding guide, "Signed Integers").
public enum ZigZag {
    public static func encode(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: (value << 1) ^ (value >> 63))
    }

    public static func decode(_ value: UInt64) -> Int64 {
        Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    public static func encode(_ value: Int32) -> UInt32 {
        UInt32(bitPattern: (value << 1) ^ (value >> 31))
    }

    public static func decode(_ value: UInt32) -> Int32 {
        Int32(bitPattern: value >> 1) ^ -Int32(bitPattern: value & 1)
    }
}
