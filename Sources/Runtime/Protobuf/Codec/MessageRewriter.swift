/// Rewrites a message, which the guard has checked, into what libprotobuf-c can take.
///
/// - Groups and values of a wrong wire type are dropped (they count as unknown fields).
/// - Duplicate singular sub-messages are merged by concatenation, as the specification says.
/// - Of a oneof only the last member set is kept.
/// - Packed bools become zeros and ones.
struct MessageRewriter {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// A field or oneof that may occur only once.
    private struct Single {
        var number: UInt32
        /// Wire bytes of a scalar member, tag included.
        var raw: Range<Int>?
        /// Payloads of a sub-message.
        var segments: [Range<Int>] = []
        var table: UnsafeMutablePointer<MessageTable>?
    }

    /// The message that the concatenated segments make.
    func rewrite(
        _ table: UnsafeMutablePointer<MessageTable>, _ segments: [Range<Int>]
    ) throws(ProtobufError) -> [UInt8] {
        var output = WireWriter()
        var singles: [Int: Single] = [:]
        for segment in segments {
            var offset = segment.lowerBound
            while offset < segment.upperBound {
                let start = offset
                let tag = varint(&offset)
                let number = UInt32(truncatingIfNeeded: tag >> 3)
                let wire = UInt32(tag & 7)
                let payload = skip(number, wire, &offset)
                guard wire != 3 else { continue }
                let raw = start..<offset
                guard let field = table.pointee.field(number), field.pointee.check != .ignored
                else {
                    output.raw(bytes[raw])
                    continue
                }
                guard field.pointee.check.accepts(wire: wire) else { continue }
                if field.pointee.group != 255 {
                    keep(raw, payload, field, in: &singles)
                } else if field.pointee.check == .message, let inner = field.pointee.message {
                    output.field(number, bytes: try rewrite(inner, [payload]))
                } else if field.pointee.check == .bools, wire == 2 {
                    output.field(number, bytes: bools(payload))
                } else {
                    output.raw(bytes[raw])
                }
            }
        }
        for (_, single) in singles.sorted(by: { $0.key < $1.key }) {
            if let raw = single.raw {
                output.raw(bytes[raw])
            } else if let inner = single.table {
                output.field(single.number, bytes: try rewrite(inner, single.segments))
            }
        }
        return output.bytes
    }

    private func keep(
        _ raw: Range<Int>, _ payload: Range<Int>, _ field: UnsafeMutablePointer<FieldLayout>,
        in singles: inout [Int: Single]
    ) {
        let number = UInt32(bitPattern: field.pointee.number)
        let key = field.pointee.quantifier
        guard field.pointee.check == .message else {
            singles[key] = Single(number: number, raw: raw)
            return
        }
        if singles[key]?.number != number {
            singles[key] = Single(number: number, raw: nil, table: field.pointee.message)
        }
        singles[key]?.segments.append(payload)
    }

    private func bools(_ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        var offset = range.lowerBound
        while offset < range.upperBound { result.append(varint(&offset) == 0 ? 0 : 1) }
        return result
    }

    // The guard has checked every length, so none of these can run over the end.

    private func varint(_ offset: inout Int) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            result |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { break }
            shift += 7
        }
        return result
    }

    /// Skips a value and returns its payload (without the length prefix).
    private func skip(_ number: UInt32, _ wire: UInt32, _ offset: inout Int) -> Range<Int> {
        let start = offset
        switch wire {
        case 0: _ = varint(&offset)
        case 1: offset += 8
        case 5: offset += 4
        case 2:
            let count = Int(varint(&offset))
            offset += count
            return (offset - count)..<offset
        case 3:
            while offset < bytes.count {
                let tag = varint(&offset)
                if tag & 7 == 4 { break }
                _ = skip(UInt32(truncatingIfNeeded: tag >> 3), UInt32(tag & 7), &offset)
            }
        default: break
        }
        return start..<offset
    }
}
