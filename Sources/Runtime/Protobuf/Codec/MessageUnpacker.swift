import Glibc

/// Checks untrusted bytes and unpacks them into the C struct in one pass: the usual case. Whatever
/// is unusual (unknown fields, groups, wrong wire types, sub-messages that occur twice, a limit that
/// is exceeded, any mistake) makes it give up, and `MessageGuard` and libprotobuf-c start anew:
/// they know how to merge, and which error it is.
///
/// Strings and bytes of the struct point into the input.
struct MessageUnpacker {
    private let arena: UnsafeMutablePointer<Arena>
    private var occurrences: Int

    init(_ arena: UnsafeMutablePointer<Arena>, _ limits: DecodingLimits) {
        self.arena = arena
        occurrences = limits.occurrences
    }

    /// The struct, nil when the bytes need more than this can do.
    mutating func unpack(
        _ table: UnsafeMutablePointer<MessageTable>, _ start: UnsafeRawPointer,
        _ end: UnsafeRawPointer, _ depth: Int
    ) -> UnsafeMutableRawPointer? {
        let size = table.pointee.size
        guard let base = arena.pointee.allocate(size) else { return nil }
        memset(base, 0, size)
        base.storeBytes(of: table.pointee.descriptor, as: UnsafeRawPointer.self)
        var p = start
        var seen: UInt64 = 0
        while p < end {
            occurrences &-= 1
            guard occurrences >= 0, let tag = MessageUnpacker.tag(&p, end),
                let field = table.pointee.field(tag &>> 3)
            else { return nil }
            let group = field.pointee.group
            if group != 255 {
                let bit = UInt64(1) &<< UInt64(group & 63)
                if seen & bit != 0 || group >= 63 { return nil }
                seen |= bit
            }
            guard read(field, tag & 7, base, &p, end, depth) else { return nil }
        }
        return base
    }

    @inline(__always)
    private mutating func read(
        _ field: UnsafeMutablePointer<FieldLayout>, _ wire: UInt32,
        _ base: UnsafeMutableRawPointer, _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer,
        _ depth: Int
    ) -> Bool {
        let coding = field.pointee.coding
        if field.pointee.presence == .repeated {
            if wire == 2, coding.rawValue < FieldCoding.bytes.rawValue {
                return packed(field, base, &p, end)
            }
            guard wire == field.pointee.wire,
                let place = element(field, base, p, adding: 1)
            else { return false }
            return value(field, place, &p, end, depth)
        }
        guard wire == field.pointee.wire else { return false }
        let slot = base + field.pointee.slot
        guard value(field, slot + 8, &p, end, depth) else { return false }
        switch field.pointee.presence {
        case .oneof:
            base.storeBytes(
                of: field.pointee.number, toByteOffset: field.pointee.quantifier, as: Int32.self)
        case .flag:
            base.storeBytes(of: 1, toByteOffset: field.pointee.quantifier, as: Int32.self)
        case .implicit, .pointer, .repeated: break
        }
        return true
    }

    /// One value, where the struct or an array keeps it.
    @inline(__always)
    private mutating func value(
        _ field: UnsafeMutablePointer<FieldLayout>, _ place: UnsafeMutableRawPointer,
        _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer, _ depth: Int
    ) -> Bool {
        switch field.pointee.coding {
        case .bytes, .text:
            guard let count = MessageUnpacker.length(&p, end) else { return false }
            if field.pointee.coding == .text, !UTF8Validator.isValid(p, count) { return false }
            place.storeBytes(of: count, as: Int.self)
            place.storeBytes(of: p, toByteOffset: 8, as: UnsafeRawPointer.self)
            p += count
        case .message:
            guard let count = MessageUnpacker.length(&p, end), depth > 0,
                let table = field.pointee.message,
                let child = unpack(table, p, p + count, depth &- 1)
            else { return false }
            place.storeBytes(of: child, as: UnsafeMutableRawPointer.self)
            p += count
        case .group: return false
        default: return MessageUnpacker.scalar(field.pointee.coding, place, &p, end)
        }
        return true
    }

    @inline(__always)
    private static func scalar(
        _ coding: FieldCoding, _ place: UnsafeMutableRawPointer, _ p: inout UnsafeRawPointer,
        _ end: UnsafeRawPointer
    ) -> Bool {
        switch coding {
        case .fixed32:
            guard end - p >= 4 else { return false }
            place.copyMemory(from: p, byteCount: 4)
            p += 4
            return true
        case .fixed64:
            guard end - p >= 8 else { return false }
            place.copyMemory(from: p, byteCount: 8)
            p += 8
            return true
        default:
            guard let raw = varint(&p, end) else { return false }
            switch coding {
            case .varint64: place.storeBytes(of: raw, as: UInt64.self)
            case .zigzag64: place.storeBytes(of: ZigZag.decode(raw), as: Int64.self)
            case .zigzag32:
                place.storeBytes(
                    of: ZigZag.decode(UInt32(truncatingIfNeeded: raw)), as: Int32.self)
            case .bool: place.storeBytes(of: raw == 0 ? 0 : 1, as: Int32.self)
            default: place.storeBytes(of: UInt32(truncatingIfNeeded: raw), as: UInt32.self)
            }
            return true
        }
    }

    // MARK: Arrays

    /// Counts `more` elements in, and says where the first of them goes. Room is made for powers
    /// of two, so that the count tells the capacity.
    @inline(__always)
    private func element(
        _ field: UnsafeMutablePointer<FieldLayout>, _ base: UnsafeMutableRawPointer,
        _ p: UnsafeRawPointer, adding more: Int
    ) -> UnsafeMutableRawPointer? {
        let slot = base + field.pointee.slot
        let count = slot.load(as: Int.self)
        let stride = Int(field.pointee.stride)
        let capacity = MessageUnpacker.capacity(for: count)
        if count &+ more > capacity {
            let wanted = MessageUnpacker.capacity(for: count &+ more)
            guard let larger = arena.pointee.allocate(wanted &* stride) else { return nil }
            if count > 0, let old = slot.load(fromByteOffset: 8, as: UnsafeRawPointer?.self) {
                larger.copyMemory(from: old, byteCount: count &* stride)
            }
            slot.storeBytes(of: larger, toByteOffset: 8, as: UnsafeMutableRawPointer.self)
        }
        slot.storeBytes(of: count &+ more, as: Int.self)
        return slot.load(fromByteOffset: 8, as: UnsafeMutableRawPointer.self)
            + count &* stride
    }

    @inline(__always)
    private static func capacity(for count: Int) -> Int {
        if count == 0 { return 0 }
        if count <= 4 { return 4 }
        return 1 &<< (Int.bitWidth &- (count &- 1).leadingZeroBitCount)
    }

    private func packed(
        _ field: UnsafeMutablePointer<FieldLayout>, _ base: UnsafeMutableRawPointer,
        _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer
    ) -> Bool {
        guard let length = MessageUnpacker.length(&p, end) else { return false }
        let stop = p + length
        let coding = field.pointee.coding
        let stride = Int(field.pointee.stride)
        var count = length / stride
        if coding == .fixed32 || coding == .fixed64 {
            guard length % stride == 0 else { return false }
        } else {
            // A varint ends with its first byte below 0x80.
            count = 0
            var byte = p
            while byte < stop {
                if byte.load(as: UInt8.self) < 0x80 { count &+= 1 }
                byte += 1
            }
        }
        if count == 0 { return length == 0 }
        guard var place = element(field, base, p, adding: count) else { return false }
        for _ in 0..<count {
            guard MessageUnpacker.scalar(coding, place, &p, stop) else { return false }
            place += stride
        }
        return p == stop
    }

    // MARK: Numbers

    /// Nil for the end inside a tag, for field number 0 and for numbers out of range.
    @inline(__always)
    private static func tag(_ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> UInt32? {
        let first = UInt32(p.load(as: UInt8.self))
        if first < 0x80 {
            p += 1
            return first >= 8 ? first : nil
        }
        // Longer spellings of small numbers are for the guard.
        let start = p
        guard let raw = varint(&p, end), p - start <= 5, raw >= 0x80, raw <= UInt64(UInt32.max)
        else { return nil }
        return UInt32(truncatingIfNeeded: raw)
    }

    @inline(__always)
    private static func length(_ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> Int? {
        guard p < end else { return nil }
        var count = Int(p.load(as: UInt8.self))
        p += 1
        if count >= 0x80 {
            p -= 1
            let start = p
            guard let raw = varint(&p, end), p - start <= 5, raw <= UInt64(Int32.max) else {
                return nil
            }
            count = Int(raw)
        }
        return count <= end - p ? count : nil
    }

    @inline(__always)
    private static func varint(_ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> UInt64? {
        guard p < end else { return nil }
        let first = UInt64(p.load(as: UInt8.self))
        p += 1
        return first < 0x80 ? first : longVarint(first, &p, end)
    }

    private static func longVarint(
        _ first: UInt64, _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer
    ) -> UInt64? {
        var result = first & 0x7f
        var shift: UInt64 = 7
        while p < end, shift < 70 {
            let byte = UInt64(p.load(as: UInt8.self))
            p += 1
            result |= (byte & 0x7f) &<< shift
            if byte < 0x80 { return result }
            shift &+= 7
        }
        return nil
    }
}
