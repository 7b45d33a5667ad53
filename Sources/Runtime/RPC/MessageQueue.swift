import Glibc

/// Received messages in order, in one piece of memory and as they came: each behind gRPC's prefix
/// (a byte that says "compressed", four for the length, big endian), perhaps with the beginning of
/// the next one behind them. A reader that decodes at once finds the bytes where they are.
package struct MessageQueue: ~Copyable {
    package enum Problem {
        /// The first byte of a prefix is neither 0 nor 1.
        case badFlag(UInt8)
        case tooLarge(Int)
    }

    private static var prefix: Int { 5 }
    /// What an empty queue may keep: a stream that rests is not to hold what a burst needed.
    private static var keeping: Int { 1 << 10 }

    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0
    // Offsets: of the first message, of the end of the last whole one, of the end of the bytes.
    private var head = 0
    private var whole = 0
    private var tail = 0
    /// Whole messages that wait.
    package private(set) var count = 0
    /// Whole messages that have come, ever.
    package private(set) var total = 0
    /// A compressed message has come at some time.
    package private(set) var hasCompressed = false
    /// Of the message that was taken last.
    package private(set) var lastWasCompressed = false

    package init() {}

    deinit {
        memory?.deallocate()
    }

    package var isEmpty: Bool { count == 0 }
    /// Bytes of the messages that wait, with their prefixes.
    package var wholeBytes: Int { whole &- head }
    /// Bytes of a message that is not whole yet.
    package var partialBytes: Int { tail &- whole }

    // MARK: In

    /// Takes bytes of a body: messages may span calls, and a call hold several.
    package mutating func receive(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Problem? {
        guard let start = bytes.baseAddress else { return nil }
        let base = room(bytes.count)
        memcpy(base + tail, start, bytes.count)
        tail &+= bytes.count
        while tail &- whole >= MessageQueue.prefix {
            let place = base + whole
            let flag = place.load(as: UInt8.self)
            if flag > 1 { return .badFlag(flag) }
            let length = MessageQueue.length(place)
            if length > limit { return .tooLarge(length) }
            if flag == 1 { hasCompressed = true }
            let end = whole &+ MessageQueue.prefix &+ length
            if end > tail { break }
            whole = end
            count &+= 1
            total &+= 1
        }
        return nil
    }

    /// A message that came whole, and not in parts before it.
    package mutating func append(_ message: [UInt8], isCompressed: Bool = false) {
        let place = room(MessageQueue.prefix &+ message.count) + tail
        place.storeBytes(of: isCompressed ? 1 : 0, as: UInt8.self)
        place.storeBytes(
            of: UInt32(truncatingIfNeeded: message.count).bigEndian, toByteOffset: 1,
            as: UInt32.self)
        message.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress {
                memcpy(place + MessageQueue.prefix, start, bytes.count)
            }
        }
        tail &+= MessageQueue.prefix &+ message.count
        whole = tail
        count &+= 1
        total &+= 1
        if isCompressed { hasCompressed = true }
    }

    // MARK: Out

    /// The first message where it lies: valid until the queue changes.
    package var first: UnsafeRawBufferPointer? {
        guard count > 0, let memory else { return nil }
        let place = memory + head
        return UnsafeRawBufferPointer(
            start: place + MessageQueue.prefix, count: MessageQueue.length(place))
    }

    /// Drops the first message, and says how many bytes it had.
    package mutating func removeFirst() -> Int {
        guard count > 0, let memory else { return 0 }
        let place = memory + head
        let length = MessageQueue.length(place)
        if hasCompressed { lastWasCompressed = place.load(as: UInt8.self) == 1 }
        head &+= MessageQueue.prefix &+ length
        count &-= 1
        if head == tail { rest() }
        return length
    }

    package mutating func popFirst() -> [UInt8]? {
        guard let first else { return nil }
        let message = [UInt8](first)
        _ = removeFirst()
        return message
    }

    package mutating func removeAll() {
        count = 0
        rest()
    }

    // MARK: Memory

    @inline(__always)
    private static func length(_ place: UnsafeMutableRawPointer) -> Int {
        Int(UInt32(bigEndian: (place + 1).loadUnaligned(as: UInt32.self)))
    }

    /// Nothing is left.
    private mutating func rest() {
        head = 0
        whole = 0
        tail = 0
        guard capacity > MessageQueue.keeping else { return }
        memory?.deallocate()
        memory = nil
        capacity = 0
    }

    /// The memory, with room for so many bytes behind `tail`.
    @inline(__always)
    private mutating func room(_ length: Int) -> UnsafeMutableRawPointer {
        if tail &+ length <= capacity, let memory { return memory }
        return makeRoom(length)
    }

    @inline(never)
    private mutating func makeRoom(_ length: Int) -> UnsafeMutableRawPointer {
        let used = tail - head
        defer {
            whole -= head
            head = 0
            tail = used
        }
        if let memory, used + length <= capacity, head >= used {
            memcpy(memory, memory + head, used)
            return memory
        }
        capacity = max(capacity * 2, used + length, 64)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        if let memory {
            memcpy(larger, memory + head, used)
            memory.deallocate()
        }
        memory = larger
        return larger
    }
}
