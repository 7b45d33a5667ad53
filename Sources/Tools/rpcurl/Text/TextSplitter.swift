/// Cuts a stream of bytes at the record separator (0x1E), as messages in text format are.
struct TextSplitter: Sendable {
    private var pending: [UInt8] = []

    mutating func feed(_ bytes: some Sequence<UInt8>) { pending.append(contentsOf: bytes) }

    /// The next text that a separator has ended; nil until more is fed.
    mutating func next() -> [UInt8]? {
        guard let end = pending.firstIndex(of: 0x1E) else { return nil }
        let text = Array(pending[..<end])
        pending.removeFirst(end + 1)
        return text
    }

    /// What stands behind the last separator; nil when it is blank.
    mutating func rest() -> [UInt8]? {
        if let text = next() { return text }
        defer { pending = [] }
        let isBlank = pending.allSatisfy { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        return isBlank ? nil : pending
    }
}
