/// Reads the fields of an unpacked C struct; `i` is the field's index in declaration order.
///
/// Valid only inside `Message.init(reading:)`.
public struct MessageReader {
    @usableFromInline let base: UnsafeRawPointer

    @inlinable @inline(__always)
    init(base: UnsafeRawPointer) { self.base = base }

    @inlinable @inline(__always)
    func slot(_ i: Int) -> UnsafeRawPointer { base + (24 &+ 24 &* i) }

    @inlinable @inline(__always)
    func value<T: BitwiseCopyable>(_ i: Int, _ type: T.Type) -> T {
        slot(i).load(fromByteOffset: 8, as: type)
    }

    @inlinable public func int32(_ i: Int) -> Int32 { value(i, Int32.self) }
    @inlinable public func int64(_ i: Int) -> Int64 { value(i, Int64.self) }
    @inlinable public func uint32(_ i: Int) -> UInt32 { value(i, UInt32.self) }
    @inlinable public func uint64(_ i: Int) -> UInt64 { value(i, UInt64.self) }
    @inlinable public func float(_ i: Int) -> Float { value(i, Float.self) }
    @inlinable public func double(_ i: Int) -> Double { value(i, Double.self) }
    @inlinable public func bool(_ i: Int) -> Bool { value(i, Int32.self) != 0 }
    @inlinable public func enumeration(_ i: Int) -> Int32 { value(i, Int32.self) }

    @inlinable
    public func string(_ i: Int) -> String { MessageReader.string(at: slot(i) + 8) }

    @inlinable
    public func bytes(_ i: Int) -> [UInt8] { MessageReader.bytes(at: slot(i) + 8) }

    /// Whether a field with presence is set.
    @inlinable
    public func has(_ i: Int) -> Bool {
        let field = StructLayout.table(of: base).pointee.fields + i
        switch field.pointee.presence {
        case .flag:
            return base.load(fromByteOffset: field.pointee.quantifier, as: Int32.self) != 0
        case .oneof:
            let set = base.load(fromByteOffset: field.pointee.quantifier, as: Int32.self)
            return set == field.pointee.number
        case .pointer: return value(i, UnsafeRawPointer?.self) != nil
        case .repeated: return count(i) > 0
        case .implicit: return true
        }
    }

    /// The number of the member that is set in the oneof of field `i`, 0 when none is.
    @inlinable
    public func oneofCase(_ i: Int) -> Int32 {
        let field = StructLayout.table(of: base).pointee.fields + i
        return base.load(fromByteOffset: field.pointee.quantifier, as: Int32.self)
    }

    @inlinable
    public func message<T: Message>(_ i: Int, _ type: T.Type) throws(ProtobufError) -> T? {
        guard let pointer = value(i, UnsafeRawPointer?.self) else { return nil }
        return try T(reading: MessageReader(base: pointer))
    }

    /// The raw wire bytes of fields the schema does not know.
    @inlinable
    public var unknownFields: UnknownFields {
        let count = base.load(fromByteOffset: 8, as: UInt32.self)
        return count == 0 ? UnknownFields() : UnknownFields(bytes: unknownBytes(Int(count)))
    }

    @usableFromInline
    func unknownBytes(_ count: Int) -> [UInt8] {
        // struct ProtobufCMessageUnknownField { uint32 tag; int wire_type; size_t len; data }
        guard let list = base.load(fromByteOffset: 16, as: UnsafeRawPointer?.self) else {
            return []
        }
        var writer = WireWriter()
        for k in 0..<count {
            let field = list + 24 * k
            let number = field.load(as: UInt32.self)
            let type = field.load(fromByteOffset: 4, as: UInt32.self)
            writer.varint(UInt64(number) << 3 | UInt64(type))
            writer.raw(
                UnsafeRawBufferPointer(
                    start: field.load(fromByteOffset: 16, as: UnsafeRawPointer?.self),
                    count: field.load(fromByteOffset: 8, as: Int.self)))
        }
        return writer.bytes
    }

    @inlinable
    static func string(at binary: UnsafeRawPointer) -> String {
        let count = binary.load(as: Int.self)
        guard count > 0, let data = binary.load(fromByteOffset: 8, as: UnsafeRawPointer?.self)
        else { return "" }
        let bytes = data.assumingMemoryBound(to: UInt8.self)
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    @inlinable
    static func bytes(at binary: UnsafeRawPointer) -> [UInt8] {
        let count = binary.load(as: Int.self)
        guard count > 0, let data = binary.load(fromByteOffset: 8, as: UnsafeRawPointer?.self)
        else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: data, count: count))
    }
}
