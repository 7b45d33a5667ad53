import Glibc

/// Bytes in one growing allocation: appended at the end, taken from the front. Keeps its memory
/// for the next use unless it became large.
struct ByteQueue: ~Copyable {
    private static let largest = 64 << 10

    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private var head = 0
    private var tail = 0

    init(capacity: Int) {
        self.capacity = capacity
        memory = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        memory.deallocate()
    }

    var count: Int { tail - head }
    var isEmpty: Bool { tail == head }

    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory + head, count: tail - head)
    }

    mutating func append(_ start: UnsafeRawPointer, _ length: Int) {
        if tail + length > capacity { makeRoom(length) }
        memcpy(memory + tail, start, length)
        tail += length
    }

    /// Up to eight bytes from an integer, then the bytes: with one check for room.
    @inline(__always)
    mutating func append(prefix: UInt64, _ count: Int, _ bytes: UnsafeRawBufferPointer) {
        if tail + 8 + bytes.count > capacity { makeRoom(8 + bytes.count) }
        (memory + tail).storeBytes(of: prefix.littleEndian, as: UInt64.self)
        tail += count
        guard let start = bytes.baseAddress else { return }
        memcpy(memory + tail, start, bytes.count)
        tail += bytes.count
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        append(start, bytes.count)
    }

    mutating func removeFirst(_ length: Int) {
        head += length
        if head == tail { removeAll() }
    }

    mutating func removeAll() {
        head = 0
        tail = 0
        guard capacity > ByteQueue.largest else { return }
        memory.deallocate()
        capacity = ByteQueue.largest / 4
        memory = .allocate(byteCount: capacity, alignment: 16)
    }

    private mutating func makeRoom(_ length: Int) {
        let used = tail - head
        if used + length <= capacity, head >= used {
            memcpy(memory, memory + head, used)
        } else {
            capacity = max(capacity * 2, used + length)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            memcpy(larger, memory + head, used)
            memory.deallocate()
            memory = larger
        }
        head = 0
        tail = used
    }
}
