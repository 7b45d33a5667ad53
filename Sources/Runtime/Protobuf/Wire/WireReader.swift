/// The type of a field's value on the wire (encoding guide, "Message Structure").
public enum WireType: UInt8, Sendable {
    case varint = 0, fixed64, bytes, startGroup, endGroup, fixed32
}

/// Reads the plain wire format, without a schema, from bytes it keeps.
public struct WireReader: Sendable {
    private let bytes: [UInt8]
    private let end: Int
    /// The next byte to read.
    public private(set) var offset: Int

    public init(_ bytes: [UInt8]) {
        self.init(bytes, 0..<bytes.count)
    }

    /// Reads a part of `bytes`; offsets in errors count from the beginning of `bytes`.
    public init(_ bytes: [UInt8], _ range: Range<Int>) {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside bytes")
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    public var isAtEnd: Bool { offset >= end }

    /// The next field's number and wire type, nil at the end.
    public mutating func tag() throws(ProtobufError) -> (number: UInt32, type: WireType)? {
        if isAtEnd { return nil }
        let start = offset
        let raw = try varint()
        guard raw <= UInt64(UInt32.max), raw >> 3 != 0,
            let type = WireType(rawValue: UInt8(raw & 7))
        else { throw ProtobufError(.malformed, "invalid field tag", offset: start) }
        return (UInt32(raw >> 3), type)
    }

    /// At most ten bytes; bits beyond the 64th are dropped as the official parsers do.
    public mutating func varint() throws(ProtobufError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while offset < end {
            let byte = bytes[offset]
            offset += 1
            result |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return result }
            shift += 7
            if shift == 70 {
                throw ProtobufError(.malformed, "varint of more than ten bytes", offset: offset)
            }
        }
        throw ProtobufError(.truncated, "the message ends inside a varint", offset: offset)
    }

    public mutating func fixed32() throws(ProtobufError) -> UInt32 {
        UInt32(truncatingIfNeeded: try fixed(4))
    }

    public mutating func fixed64() throws(ProtobufError) -> UInt64 { try fixed(8) }

    private mutating func fixed(_ count: Int) throws(ProtobufError) -> UInt64 {
        guard end - offset >= count else {
            throw ProtobufError(.truncated, "the message ends inside a number", offset: offset)
        }
        var result: UInt64 = 0
        for k in 0..<count { result |= UInt64(bytes[offset + k]) << UInt64(8 * k) }
        offset += count
        return result
    }

    /// The range of a length-prefixed value inside the reader's bytes.
    public mutating func range() throws(ProtobufError) -> Range<Int> {
        let start = offset
        let count = try varint()
        guard count <= UInt64(end - offset) else {
            throw ProtobufError(
                .truncated, "a value of \(count) bytes exceeds the message", offset: start)
        }
        let range = offset..<(offset + Int(count))
        offset = range.upperBound
        return range
    }

    public mutating func lengthDelimited() throws(ProtobufError) -> [UInt8] {
        Array(bytes[try range()])
    }

    /// A length-prefixed UTF-8 text.
    public mutating func string() throws(ProtobufError) -> String {
        let range = try range()
        let valid = bytes.withUnsafeBytes { UTF8Validator.isValid(.init(rebasing: $0[range])) }
        guard valid else {
            throw ProtobufError(.invalidUTF8, "a string is not UTF-8", offset: range.lowerBound)
        }
        return String(decoding: bytes[range], as: UTF8.self)
    }

    /// A reader of a length-prefixed message.
    public mutating func nested() throws(ProtobufError) -> WireReader {
        WireReader(bytes, try range())
    }

    /// The bytes between two offsets, for keeping a field that is not understood.
    public func slice(_ range: Range<Int>) -> ArraySlice<UInt8> { bytes[range] }

    /// Skips the value behind a tag; a group is skipped with all it contains.
    public mutating func skip(
        _ number: UInt32, _ type: WireType, depth: Int = 100
    ) throws(ProtobufError) {
        switch type {
        case .varint: _ = try varint()
        case .fixed32: _ = try fixed(4)
        case .fixed64: _ = try fixed(8)
        case .bytes: _ = try range()
        case .endGroup:
            throw ProtobufError(.malformed, "end of a group that was not begun", offset: offset)
        case .startGroup:
            guard depth > 0 else {
                throw ProtobufError(.tooDeep, "groups nest too deeply", offset: offset)
            }
            while let next = try tag() {
                if next.type == .endGroup {
                    guard next.number == number else { break }
                    return
                }
                try skip(next.number, next.type, depth: depth - 1)
            }
            throw ProtobufError(.malformed, "a group does not end properly", offset: offset)
        }
    }
}
