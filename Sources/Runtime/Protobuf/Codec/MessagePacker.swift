import Glibc

/// Writes a filled C struct as wire bytes in one pass, in the order of field numbers. The length of
/// a sub-message is not computed beforehand: one byte is left for it, and the few that are longer
/// than 127 bytes are moved.
struct MessagePacker {
    private let arena: UnsafeMutablePointer<Arena>
    private var start: UnsafeMutableRawPointer
    private var next: UnsafeMutableRawPointer
    private var end: UnsafeMutableRawPointer

    /// Writes into what the arena's chunk has left; `bytes` is valid until the arena is released.
    init(_ arena: UnsafeMutablePointer<Arena>) {
        self.arena = arena
        start = arena.pointee.next
        next = start
        end = arena.pointee.end
    }

    /// What was written; the arena goes on behind it.
    func finish() -> UnsafeRawBufferPointer {
        let count = next - start
        if end == arena.pointee.end { arena.pointee.next = start + ((count &+ 7) & ~7) }
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    mutating func pack(_ base: UnsafeRawPointer) {
        let table = StructLayout.table(of: base)
        let fields = table.pointee.fields
        for k in 0..<table.pointee.fieldCount {
            pack(fields + Int(table.pointee.sorted[k]), base)
        }
        if base.load(fromByteOffset: 8, as: UInt32.self) > 0 { unknownFields(base) }
    }

    @inline(__always)
    private mutating func pack(
        _ field: UnsafeMutablePointer<FieldLayout>, _ base: UnsafeRawPointer
    ) {
        let slot = base + field.pointee.slot
        switch field.pointee.presence {
        case .implicit:
            guard field.pointee.hasFlag ? slot.load(as: Int32.self) != 0 : isSet(field, slot) else {
                return
            }
        case .flag: guard slot.load(as: Int32.self) != 0 else { return }
        case .pointer:
            guard slot.load(fromByteOffset: 8, as: UnsafeRawPointer?.self) != nil else { return }
        case .oneof:
            let set = base.load(fromByteOffset: field.pointee.quantifier, as: Int32.self)
            guard set == field.pointee.number else { return }
        case .repeated: return list(field, slot)
        }
        one(field, slot + 8)
    }

    @inline(__always)
    private func isSet(
        _ field: UnsafeMutablePointer<FieldLayout>, _ slot: UnsafeRawPointer
    ) -> Bool {
        // A length, or the number itself.
        field.pointee.stride == 4
            ? slot.load(fromByteOffset: 8, as: UInt32.self) != 0
            : slot.load(fromByteOffset: 8, as: UInt64.self) != 0
    }

    /// Tag and value.
    @inline(__always)
    private mutating func one(
        _ field: UnsafeMutablePointer<FieldLayout>, _ place: UnsafeRawPointer
    ) {
        reserve(24)
        tag(field)
        switch field.pointee.coding {
        case .bytes, .text:
            let count = place.load(as: Int.self)
            varint(UInt64(truncatingIfNeeded: count))
            guard count > 0, let data = place.load(fromByteOffset: 8, as: UnsafeRawPointer?.self)
            else { return }
            reserve(count)
            memcpy(next, data, count)
            next += count
        case .message:
            guard let child = place.load(as: UnsafeRawPointer?.self) else {
                return varint(0)
            }
            let length = beginLength()
            pack(child)
            endLength(length)
        default: scalar(field.pointee.coding, place)
        }
    }

    private mutating func list(
        _ field: UnsafeMutablePointer<FieldLayout>, _ slot: UnsafeRawPointer
    ) {
        let count = slot.load(as: Int.self)
        guard count > 0, var place = slot.load(fromByteOffset: 8, as: UnsafeRawPointer?.self)
        else { return }
        let stride = Int(field.pointee.stride)
        guard field.pointee.isPacked else {
            for _ in 0..<count {
                one(field, place)
                place += stride
            }
            return
        }
        reserve(24)
        tag(field)
        let length = beginLength()
        let coding = field.pointee.coding
        for _ in 0..<count {
            reserve(16)
            scalar(coding, place)
            place += stride
        }
        endLength(length)
    }

    /// Room for ten bytes is there.
    @inline(__always)
    private mutating func scalar(_ coding: FieldCoding, _ place: UnsafeRawPointer) {
        switch coding {
        // Negative numbers are sent with 64 bits.
        case .uint32: varint(UInt64(place.load(as: UInt32.self)))
        case .int32: varint(UInt64(bitPattern: Int64(place.load(as: Int32.self))))
        case .varint64: varint(place.load(as: UInt64.self))
        case .zigzag32: varint(UInt64(ZigZag.encode(place.load(as: Int32.self))))
        case .zigzag64: varint(ZigZag.encode(place.load(as: Int64.self)))
        case .bool: varint(place.load(as: Int32.self) == 0 ? 0 : 1)
        case .fixed32:
            next.copyMemory(from: place, byteCount: 4)
            next += 4
        default:
            next.copyMemory(from: place, byteCount: 8)
            next += 8
        }
    }

    /// The raw bytes behind the tag of the first field, as `MessageWriter.unknownBytes` left them.
    private mutating func unknownFields(_ base: UnsafeRawPointer) {
        guard let entry = base.load(fromByteOffset: 16, as: UnsafeRawPointer?.self) else { return }
        let count = entry.load(fromByteOffset: 8, as: Int.self)
        reserve(16 + count)
        varint(
            UInt64(entry.load(as: UInt32.self)) << 3
                | UInt64(entry.load(fromByteOffset: 4, as: UInt32.self)))
        guard let data = entry.load(fromByteOffset: 16, as: UnsafeRawPointer?.self) else { return }
        memcpy(next, data, count)
        next += count
    }

    // MARK: Parts

    @inline(__always)
    private mutating func tag(_ field: UnsafeMutablePointer<FieldLayout>) {
        // Eight bytes are stored, and as many of them kept as the tag has.
        next.storeBytes(of: field.pointee.tag, as: UInt64.self)
        next += Int(field.pointee.tagCount)
    }

    @inline(__always)
    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            next.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            next += 1
            rest &>>= 7
        }
        next.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        next += 1
    }

    /// Leaves a byte for the length of what follows; its offset.
    @inline(__always)
    private mutating func beginLength() -> Int {
        next += 1
        return next - start
    }

    @inline(__always)
    private mutating func endLength(_ offset: Int) {
        let count = (next - start) &- offset
        if count < 0x80 {
            (start + (offset &- 1)).storeBytes(of: UInt8(count), as: UInt8.self)
        } else {
            widen(offset, count)
        }
    }

    private mutating func widen(_ offset: Int, _ count: Int) {
        let more = (UInt64.bitWidth - UInt64(count).leadingZeroBitCount + 6) / 7 - 1
        reserve(more)
        let body = start + offset
        memmove(body + more, body, count)
        next = body - 1
        varint(UInt64(count))
        next = body + more + count
    }

    @inline(__always)
    private mutating func reserve(_ count: Int) {
        if end - next < count { grow(count) }
    }

    private mutating func grow(_ count: Int) {
        let used = next - start
        // The old bytes stay where they are until the arena is released.
        let size = max(used * 2, used + count, 4 << 10)
        arena.pointee.next = next
        let larger = arena.pointee.require(size)
        memcpy(larger, start, used)
        start = larger
        next = larger + used
        end = larger + size
    }
}
