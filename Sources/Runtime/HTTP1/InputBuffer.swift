/// Bytes that arrived and were not consumed yet. Gives its memory back whenever it runs empty, so
/// an idle connection keeps nothing (bar B5).
struct InputBuffer {
    private(set) var bytes: [UInt8] = []
    private(set) var start = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        if start > 0 {
            bytes.removeSubrange(0..<start)
            start = 0
        }
        bytes.append(contentsOf: more)
    }

    mutating func consume(_ count: Int) {
        start += count
        if start == bytes.count { clear() }
    }

    /// Takes `count` bytes from the front, without a copy when these are all.
    mutating func take(_ count: Int) -> [UInt8] {
        if start == 0 && count == bytes.count {
            let all = bytes
            clear()
            return all
        }
        let front = Array(bytes[start..<(start + count)])
        consume(count)
        return front
    }

    mutating func clear() {
        bytes = []
        start = 0
    }

    /// Reads the unconsumed bytes, indexed from zero.
    func withBytes<T, E: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(E) -> T
    ) throws(E) -> T {
        try bytes.withUnsafeBufferPointer { all throws(E) in
            try body(UnsafeBufferPointer(rebasing: all[start...]))
        }
    }
}
