/// Looks over untrusted bytes before libprotobuf-c sees them: one linear pass, no allocation.
///
/// libprotobuf-c 1.4.1 has no recursion limit, spends memory per field occurrence, checks no
/// UTF-8, and rejects whole messages for unknown groups, for wrong wire types and for duplicate
/// sub-messages (shared/reference/rpc.md §7).
struct MessageGuard {
    enum Verdict {
        /// libprotobuf-c can take the bytes as they are.
        case clean
        /// The same message without what libprotobuf-c cannot take.
        case rewritten([UInt8])
    }

    private let bytes: UnsafeRawBufferPointer
    private let limits: DecodingLimits
    private var occurrences: Int

    init(_ bytes: UnsafeRawBufferPointer, _ limits: DecodingLimits) {
        self.bytes = bytes
        self.limits = limits
        occurrences = limits.occurrences
    }

    mutating func check(_ table: UnsafeMutablePointer<MessageTable>) throws(ProtobufError)
        -> Verdict
    {
        if try validate(table) { return .clean }
        let rewriter = MessageRewriter(bytes)
        return .rewritten(try rewriter.rewrite(table, [0..<bytes.count]))
    }

    /// Checks all limits and all UTF-8; returns whether libprotobuf-c can take the bytes.
    mutating func validate(
        _ table: UnsafeMutablePointer<MessageTable>
    ) throws(ProtobufError) -> Bool {
        guard let start = bytes.baseAddress else { return true }
        return try scan(table, start, start + bytes.count, limits.depth)
    }

    /// Returns whether the message between two addresses needs no rewriting.
    private mutating func scan(
        _ table: UnsafeMutablePointer<MessageTable>, _ start: UnsafeRawPointer,
        _ end: UnsafeRawPointer, _ depth: Int
    ) throws(ProtobufError) -> Bool {
        var p = start
        var seen: UInt64 = 0
        var isClean = true
        while p < end {
            occurrences &-= 1
            guard occurrences >= 0 else {
                throw error(.tooLarge, "more than \(limits.occurrences) fields", p)
            }
            var tag = UInt32(p.load(as: UInt8.self))
            p += 1
            if tag >= 0x80 { tag = try longTag(&p, end) }
            let number = tag >> 3
            guard number != 0 else { throw error(.malformed, "field number 0", p) }
            let field = table.pointee.field(number)
            switch tag & 7 {
            case 0: try skipVarint(&p, end)
            case 1: try skip(8, &p, end)
            case 5: try skip(4, &p, end)
            case 2:
                let value = try length(&p, end)
                if let field {
                    let fits = try check(field, p, p + value, depth)
                    if !fits { isClean = false }
                }
                p += value
            case 3:
                isClean = false
                try skipGroup(number, &p, end, depth)
            default: throw error(.malformed, "invalid wire type \(tag & 7)", p)
            }
            guard let field else { continue }
            if !field.pointee.check.accepts(wire: tag & 7) { isClean = false }
            let group = field.pointee.group
            if group == 255 { continue }
            let bit = UInt64(1) << UInt64(min(group, 63))
            if seen & bit != 0 || group >= 63 { isClean = false }
            seen |= bit
        }
        return isClean
    }

    /// Checks a length-prefixed value of a known field.
    @inline(__always)
    private mutating func check(
        _ field: UnsafeMutablePointer<FieldLayout>, _ start: UnsafeRawPointer,
        _ end: UnsafeRawPointer, _ depth: Int
    ) throws(ProtobufError) -> Bool {
        switch field.pointee.check {
        case .text:
            guard UTF8Validator.isValid(start, end - start) else {
                throw error(.invalidUTF8, "a string is not UTF-8", start)
            }
            return true
        case .message:
            guard depth > 0 else { throw tooDeep(start) }
            guard let table = field.pointee.message else { return true }
            return try scan(table, start, end, depth - 1)
        case .varints:
            var p = start
            while p < end { try skipVarint(&p, end) }
            return true
        case .bools:
            // libprotobuf-c takes only the bytes 0 and 1 in packed bools.
            var p = start
            while p < end {
                if p.load(as: UInt8.self) > 1 {
                    try skipVarints(from: p, end)
                    return false
                }
                p += 1
            }
            return true
        case .fixed32s: return try multiple(of: 4, start, end)
        case .fixed64s: return try multiple(of: 8, start, end)
        case .varint, .fixed32, .fixed64, .bytes, .ignored: return true
        }
    }

    private func multiple(
        of size: Int, _ start: UnsafeRawPointer, _ end: UnsafeRawPointer
    ) throws(ProtobufError) -> Bool {
        guard (end - start) % size == 0 else {
            throw error(.malformed, "packed numbers of \(size) bytes do not fit", start)
        }
        return true
    }

    private func skipVarints(
        from start: UnsafeRawPointer, _ end: UnsafeRawPointer
    ) throws(ProtobufError) {
        var p = start
        while p < end { try skipVarint(&p, end) }
    }

    @inline(__always)
    private func skipVarint(
        _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer
    ) throws(ProtobufError) {
        var left = 10
        while p < end {
            let byte = p.load(as: UInt8.self)
            p += 1
            if byte < 0x80 { return }
            left &-= 1
            if left == 0 { throw error(.malformed, "varint of more than ten bytes", p) }
        }
        throw error(.truncated, "the message ends inside a varint", p)
    }

    @inline(__always)
    private func skip(
        _ count: Int, _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer
    ) throws(ProtobufError) {
        guard end - p >= count else {
            throw error(.truncated, "the message ends inside a number", p)
        }
        p += count
    }

    /// A length prefix, which libprotobuf-c and the official parsers read from at most 5 bytes.
    @inline(__always)
    private func length(
        _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer
    ) throws(ProtobufError) -> Int {
        var result = 0
        var shift = 0
        let start = p
        while p < end, shift < 35 {
            let byte = Int(p.load(as: UInt8.self))
            p += 1
            result |= (byte & 0x7F) &<< shift
            if byte < 0x80 {
                guard result <= end - p, result <= Int(Int32.max) else {
                    throw error(.truncated, "a value of \(result) bytes exceeds the message", start)
                }
                return result
            }
            shift &+= 7
        }
        let isLong = shift >= 35
        throw error(
            isLong ? .malformed : .truncated,
            isLong ? "length of more than five bytes" : "the message ends inside a length", p)
    }

    /// The rest of a tag whose first byte, just before `p`, says that it goes on.
    private func longTag(
        _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer
    ) throws(ProtobufError) -> UInt32 {
        var result = UInt64((p - 1).load(as: UInt8.self) & 0x7F)
        var shift: UInt64 = 7
        while p < end, shift < 35 {
            let byte = p.load(as: UInt8.self)
            p += 1
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 {
                guard result <= UInt64(UInt32.max) else { break }
                return UInt32(result)
            }
            shift += 7
        }
        let isShort = p == end && shift < 35
        throw error(
            isShort ? .truncated : .malformed,
            isShort ? "the message ends inside a tag" : "field number out of range", p)
    }

    private mutating func skipGroup(
        _ number: UInt32, _ p: inout UnsafeRawPointer, _ end: UnsafeRawPointer, _ depth: Int
    ) throws(ProtobufError) {
        guard depth > 0 else { throw tooDeep(p) }
        while p < end {
            occurrences &-= 1
            guard occurrences >= 0 else {
                throw error(.tooLarge, "more than \(limits.occurrences) fields", p)
            }
            var tag = UInt32(p.load(as: UInt8.self))
            p += 1
            if tag >= 0x80 { tag = try longTag(&p, end) }
            guard tag >> 3 != 0 else { throw error(.malformed, "field number 0", p) }
            switch tag & 7 {
            case 0: try skipVarint(&p, end)
            case 1: try skip(8, &p, end)
            case 5: try skip(4, &p, end)
            case 2: p += try length(&p, end)
            case 3: try skipGroup(tag >> 3, &p, end, depth - 1)
            case 4:
                guard tag >> 3 == number else {
                    throw error(.malformed, "a group ends with another number", p)
                }
                return
            default: throw error(.malformed, "invalid wire type \(tag & 7)", p)
            }
        }
        throw error(.truncated, "the message ends inside a group", p)
    }

    @inline(never)
    private func tooDeep(_ p: UnsafeRawPointer) -> ProtobufError {
        error(.tooDeep, "messages nest deeper than \(limits.depth) levels", p)
    }

    @inline(never)
    private func error(
        _ code: ProtobufError.Code, _ message: String, _ p: UnsafeRawPointer
    ) -> ProtobufError {
        ProtobufError(code, message, offset: bytes.baseAddress.map { p - $0 })
    }
}

extension GuardCheck {
    /// Whether libprotobuf-c takes this wire type for the field.
    @inline(__always)
    func accepts(wire: UInt32) -> Bool {
        switch self {
        case .varint: wire == 0
        case .fixed32: wire == 5
        case .fixed64: wire == 1
        case .bytes, .text, .message: wire == 2
        case .varints, .bools: wire == 0 || wire == 2
        case .fixed32s: wire == 5 || wire == 2
        case .fixed64s: wire == 1 || wire == 2
        case .ignored: true
        }
    }
}
