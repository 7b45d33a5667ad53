/// Cuts a stream of bytes into JSON texts: concatenated, or separated by white space, new lines
/// or the record separator (RFC 7464). It looks at brackets and strings only; the parser that
/// gets the pieces is strict.
struct JSONSplitter: Sendable {
    private var pending: [UInt8] = []
    /// Where the next text begins.
    private var head = 0
    /// The first byte that was not looked at.
    private var scanned = 0
    private var depth = 0
    private var inString = false
    private var escaped = false
    /// The text is a bare number, literal or string, which only a separator ends.
    private var isScalar = false

    mutating func feed(_ bytes: some Sequence<UInt8>) {
        if head > 0 {
            pending.removeFirst(head)
            scanned -= head
            head = 0
        }
        pending.append(contentsOf: bytes)
    }

    /// The next whole text, nil until more is fed.
    mutating func next() -> [UInt8]? {
        while scanned < pending.count {
            let byte = pending[scanned]
            if scanned == head, JSONSplitter.isSeparator(byte) {
                head += 1
                scanned += 1
                continue
            }
            if scanned == head { isScalar = byte != UInt8(ascii: "{") && byte != UInt8(ascii: "[") }
            if isScalar, !inString, scanned > head, JSONSplitter.isSeparator(byte) {
                return cut(scanned)
            }
            scanned += 1
            if inString {
                inString = escaped || byte != UInt8(ascii: "\"")
                escaped = !escaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth <= 0, !isScalar { return cut(scanned) }
            default: break
            }
        }
        return nil
    }

    /// What is left when the stream has ended, perhaps unfinished.
    mutating func rest() -> [UInt8]? {
        if let text = next() { return text }
        return head == pending.count ? nil : cut(pending.count)
    }

    private mutating func cut(_ end: Int) -> [UInt8] {
        let text = Array(pending[head..<end])
        head = end
        scanned = end
        depth = 0
        inString = false
        escaped = false
        return text
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 || byte == 0x1E
    }
}
