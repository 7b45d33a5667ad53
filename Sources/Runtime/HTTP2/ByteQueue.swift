import Glibc

/// Bytes in one growing allocation: appended at the end, taken from the front. Owns no memory
/// before the first byte, and keeps it for the next use unless it became large.
struct ByteQueue: ~Copyable {
    /// What an empty queue may keep.
    private let keeping: Int
    /// The least that is allocated next.
    private var step = 256
    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0
    private var head = 0
    private var tail = 0

    init(keeping: Int) {
        self.keeping = keeping
    }

    deinit {
        memory?.deallocate()
    }

    var count: Int { tail &- head }
    var isEmpty: Bool { tail == head }

    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory.map { $0 + head }, count: tail &- head)
    }

    @inline(__always)
    mutating func append(_ start: UnsafeRawPointer, _ length: Int) {
        memcpy(room(length), start, length)
        tail &+= length
    }

    /// Up to eight bytes from an integer, then the bytes: with one check for room.
    @inline(__always)
    mutating func append(prefix: UInt64, _ count: Int, _ bytes: UnsafeRawBufferPointer) {
        let place = room(8 &+ bytes.count)
        place.storeBytes(of: prefix.littleEndian, as: UInt64.self)
        tail &+= count
        guard let start = bytes.baseAddress else { return }
        memcpy(place + count, start, bytes.count)
        tail &+= bytes.count
    }

    /// Writes a big-endian number over bytes that are in the queue.
    mutating func store(_ value: UInt32, at offset: Int) {
        guard let memory, offset + 4 <= count else { preconditionFailure("beyond the end") }
        (memory + head + offset).storeBytes(of: value.bigEndian, as: UInt32.self)
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        append(start, bytes.count)
    }

    mutating func removeFirst(_ length: Int) {
        head &+= length
        if head == tail { removeAll() }
    }

    mutating func removeAll() {
        head = 0
        tail = 0
        guard capacity > keeping else { return }
        releaseMemory()
        step = keeping
    }

    /// Gives memory beyond `limit` back, for an owner that may rest for long. Empty queues only.
    mutating func trim(to limit: Int) {
        step = 256
        if capacity > limit { releaseMemory() }
    }

    /// Where `length` more bytes may be put.
    @inline(__always)
    private mutating func room(_ length: Int) -> UnsafeMutableRawPointer {
        if tail &+ length <= capacity, let memory { return memory + tail }
        return makeRoom(length)
    }

    @inline(never)
    private mutating func makeRoom(_ length: Int) -> UnsafeMutableRawPointer {
        let used = tail - head
        defer {
            head = 0
            tail = used
        }
        if let memory, used + length <= capacity, head >= used {
            memcpy(memory, memory + head, used)
            return memory + used
        }
        let wanted = max(capacity * 2, used + length, step)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        if let memory { memcpy(larger, memory + head, used) }
        releaseMemory()
        memory = larger
        capacity = wanted
        return larger + used
    }

    private mutating func releaseMemory() {
        memory?.deallocate()
        memory = nil
        capacity = 0
    }
}
