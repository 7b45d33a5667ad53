/// Reads compiled zones: "TZif" files, versions 1 to 4 (RFC 8536).
enum TimeZoneFile {
    /// Nil when the bytes are no such file.
    static func read(_ bytes: [UInt8], name: String) -> TimeZone? {
        guard let first = Header(bytes, at: 0) else { return nil }
        if first.version == 0 {
            return block(bytes, first, at: Header.size, wide: 4, rule: nil, name)
        }
        // The first block is for old programs; the second has times of eight bytes and a footer.
        let second = Header.size + first.length(wide: 4)
        guard let header = Header(bytes, at: second) else { return nil }
        let start = second + Header.size
        let end = start + header.length(wide: 8)
        guard end < bytes.count, bytes[end] == 10,
            let newline = bytes[(end + 1)...].firstIndex(of: 10)
        else { return nil }
        let footer = String(decoding: bytes[(end + 1)..<newline], as: UTF8.self)
        if footer.isEmpty { return block(bytes, header, at: start, wide: 8, rule: nil, name) }
        guard let rule = TimeZoneRule(footer) else { return nil }
        return block(bytes, header, at: start, wide: 8, rule: rule, name)
    }

    private static func block(
        _ bytes: [UInt8], _ header: Header, at start: Int, wide: Int, rule: TimeZoneRule?,
        _ name: String
    ) -> TimeZone? {
        guard start + header.length(wide: wide) <= bytes.count, header.types > 0 else {
            return nil
        }
        let places = start + header.times * wide
        let types = places + header.times
        var transitions: [Int64] = []
        var offsets: [Int] = []
        for index in 0..<header.times {
            let at = integer(bytes, start + index * wide, wide)
            let type = Int(bytes[places + index])
            guard type < header.types, transitions.last.map({ $0 < at }) ?? true else {
                return nil
            }
            transitions.append(at)
            offsets.append(Int(integer(bytes, types + type * 6, 4)))
        }
        return TimeZone(
            name: name, transitions: transitions, offsets: offsets,
            firstOffset: Int(integer(bytes, types, 4)), rule: rule)
    }

    /// A signed big-endian integer.
    private static func integer(_ bytes: [UInt8], _ start: Int, _ count: Int) -> Int64 {
        let value = bytes[start..<start + count].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let shift = UInt64(64 - count * 8)
        return Int64(bitPattern: value << shift) >> Int64(shift)
    }

    private struct Header {
        static let size = 44

        let version: UInt8
        let times: Int
        let types: Int
        private let rest: (utc: Int, standard: Int, leaps: Int, characters: Int)

        init?(_ bytes: [UInt8], at start: Int) {
            guard start >= 0, bytes.count >= start + Self.size,
                bytes[start..<start + 4].elementsEqual("TZif".utf8)
            else { return nil }
            version = bytes[start + 4]
            let counts = (0..<6).map { Int(integer(bytes, start + 20 + $0 * 4, 4)) }
            // No real file comes near; nothing overflows below.
            guard counts.allSatisfy({ (0...100_000).contains($0) }) else { return nil }
            rest = (counts[0], counts[1], counts[2], counts[5])
            times = counts[3]
            types = counts[4]
        }

        func length(wide: Int) -> Int {
            times * (wide + 1) + types * 6 + rest.characters + rest.leaps * (wide + 4)
                + rest.standard + rest.utc
        }
    }
}
