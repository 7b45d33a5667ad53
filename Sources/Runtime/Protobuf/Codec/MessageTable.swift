/// Where one field lives in the C struct, and what the guard must know about it.
///
/// Every declared field owns a slot of 24 bytes behind the 24-byte `ProtobufCMessage` header:
/// 8 bytes of quantifier (has flag, oneof case or element count), then 16 bytes of value.
@usableFromInline
struct FieldLayout {
    @usableFromInline
    enum Presence: UInt8 {
        case implicit, flag, pointer, oneof, repeated
    }

    /// Byte offset of the slot.
    var slot: Int
    /// Byte offset of the quantifier; the members of a oneof share the first member's.
    @usableFromInline var quantifier: Int
    @usableFromInline var number: Int32
    @usableFromInline var presence: Presence
    /// The table of the field's message type.
    @usableFromInline var message: UnsafeMutablePointer<MessageTable>?

    /// Bit of `MessageGuard`'s "seen" mask for fields that must not occur twice; 255 for others.
    var group: UInt8
    var check: GuardCheck
    var coding: FieldCoding
    /// Of one element of a repeated field.
    var stride: UInt8
    /// The wire type of one value.
    var wire: UInt32
    /// An implicit field that carries a has flag all the same.
    var hasFlag: Bool
    /// The list is sent as one length-prefixed value.
    var isPacked: Bool
    /// The tag as it is sent, in memory order, and how many bytes it has.
    var tag: UInt64
    var tagCount: UInt8
    /// Index in the declaration.
    var index: Int32
}

/// Native tables of one message type, built at first use and never freed.
@usableFromInline
struct MessageTable {
    /// `ProtobufCMessageDescriptor`; its `reserved1` points back to this table.
    @usableFromInline var descriptor: UnsafeRawPointer
    /// `sizeof_message`.
    @usableFromInline var size: Int
    /// By declaration index.
    @usableFromInline var fields: UnsafeMutablePointer<FieldLayout>
    var fieldCount: Int

    /// Declaration index + 1 by field number below `denseCount`; 0 means unknown.
    var dense: UnsafeMutablePointer<UInt16>
    var denseCount: UInt32
    /// Declaration indices of all fields, sorted by number, for numbers beyond the dense table.
    var sorted: UnsafeMutablePointer<UInt16>

    /// The field with this number, nil when the schema does not know it.
    @inline(__always)
    func field(_ number: UInt32) -> UnsafeMutablePointer<FieldLayout>? {
        if number < denseCount {
            let index = Int(dense[Int(number)])
            return index == 0 ? nil : fields + (index - 1)
        }
        return sparse(number)
    }

    private func sparse(_ number: UInt32) -> UnsafeMutablePointer<FieldLayout>? {
        var low = 0
        var high = fieldCount
        while low < high {
            let middle = (low + high) / 2
            let field = fields + Int(sorted[middle])
            let found = UInt32(bitPattern: field.pointee.number)
            if found == number { return field }
            if found < number { low = middle + 1 } else { high = middle }
        }
        return nil
    }
}

/// What the guard expects on the wire for a field.
enum GuardCheck: UInt8 {
    case varint, fixed32, fixed64, bytes, text, message
    /// Repeated scalars: packed and unpacked are both accepted.
    case varints, bools, fixed32s, fixed64s
    /// Declared, but never handed to libprotobuf-c (proto2 groups).
    case ignored
}

/// Offsets shared by the reader, the writer and the descriptor builder.
@usableFromInline
enum StructLayout {
    @usableFromInline static var header: Int { 24 }
    @usableFromInline static var slot: Int { 24 }
    /// `ProtobufCMessageDescriptor.reserved1`.
    @usableFromInline static var tablePointer: Int { 96 }

    @inlinable @inline(__always)
    static func table(of base: UnsafeRawPointer) -> UnsafeMutablePointer<MessageTable> {
        base.load(as: UnsafeRawPointer.self)
            .load(fromByteOffset: 96, as: UnsafeMutablePointer<MessageTable>.self)
    }
}
