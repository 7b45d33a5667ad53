/// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF.
enum UTF8Validator {
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress else { return true }
        return isValid(start, bytes.count)
    }

    @inline(__always)
    static func isValid(_ start: UnsafeRawPointer, _ count: Int) -> Bool {
        // Most strings are ASCII, read eight bytes at a time; the last load may overlap.
        if count >= 8 {
            var k = 0
            while k &+ 8 <= count {
                let word = (start + k).loadUnaligned(as: UInt64.self)
                if word & 0x8080_8080_8080_8080 != 0 { return invalid(start, k, count) == nil }
                k &+= 8
            }
            let last = (start + (count &- 8)).loadUnaligned(as: UInt64.self)
            return last & 0x8080_8080_8080_8080 == 0 || invalid(start, k, count) == nil
        }
        for k in 0..<count where start.load(fromByteOffset: k, as: UInt8.self) >= 0x80 {
            return invalid(start, k, count) == nil
        }
        return true
    }

    /// The offset of the first byte that is not UTF-8, looking from offset `from` on.
    static func invalid(_ start: UnsafeRawPointer, _ from: Int, _ count: Int) -> Int? {
        let bytes = UnsafeRawBufferPointer(start: start, count: count)
        var k = from
        while k < count {
            let lead = bytes[k]
            if lead < 0x80 {
                k += 1
                continue
            }
            let length: Int
            var lowest: UInt8 = 0x80
            var highest: UInt8 = 0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0...0xEF:
                length = 3
                if lead == 0xE0 { lowest = 0xA0 }
                if lead == 0xED { highest = 0x9F }
            case 0xF0...0xF4:
                length = 4
                if lead == 0xF0 { lowest = 0x90 }
                if lead == 0xF4 { highest = 0x8F }
            default: return k
            }
            guard k + length <= count, bytes[k + 1] >= lowest, bytes[k + 1] <= highest else {
                return k
            }
            for extra in 2..<length where bytes[k + extra] & 0xC0 != 0x80 { return k }
            k += length
        }
        return nil
    }
}
