/// The raw bytes of a `FileOptions`, `FieldOptions`, `MethodOptions`, … message.
///
/// Custom options are looked up by their extension number, so no registry is needed.
public struct Options: Sendable, Hashable {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    public var isEmpty: Bool { bytes.isEmpty }

    /// Every length-prefixed value (message, string, bytes) of an option, in order.
    public func bytes(extension number: Int32) -> [[UInt8]] {
        var values: [[UInt8]] = []
        scan { field, type, reader throws(ProtobufError) in
            guard field == number, type == .bytes else { return false }
            values.append(try reader.lengthDelimited())
            return true
        }
        return values
    }

    /// The last value of a varint option (integer, bool, enum), nil when it is not set.
    public func varint(extension number: Int32) -> UInt64? {
        var value: UInt64?
        scan { field, type, reader throws(ProtobufError) in
            guard field == number, type == .varint else { return false }
            value = try reader.varint()
            return true
        }
        return value
    }

    /// The last value of a string option.
    public func string(extension number: Int32) -> String? {
        bytes(extension: number).last.map { String(decoding: $0, as: UTF8.self) }
    }

    /// `deprecated`: field 3 of most option messages, 33 of methods and services.
    public var isDeprecated: Bool {
        varint(extension: 3) == 1 || varint(extension: 33) == 1
    }

    /// Calls `visit` for every field; it returns false to have the value skipped.
    private func scan(
        _ visit: (Int32, WireType, inout WireReader) throws(ProtobufError) -> Bool
    ) {
        var reader = WireReader(bytes)
        do {
            while let tag = try reader.tag() {
                let number = Int32(bitPattern: tag.number)
                if try !visit(number, tag.type, &reader) { try reader.skip(tag.number, tag.type) }
            }
        } catch {
            // Options come from a compiler; a damaged tail counts as absent.
            return
        }
    }
}
