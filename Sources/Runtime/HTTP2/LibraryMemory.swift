import CNghttp2
import Glibc

/// An allocator for libnghttp2: free lists by size over chunks that are never split again. The
/// library makes and drops seven small objects for every call; malloc took a tenth of a unary
/// call's instructions for them. Confined to one loop, like the sessions that use it.
///
/// Memory goes back to the system with the last session.
final class LibraryMemory {
    private let pool: UnsafeMutablePointer<MemoryPool>
    /// What the library gets; it copies the struct.
    private(set) var functions: nghttp2_mem

    init() {
        pool = .allocate(capacity: 1)
        pool.initialize(to: MemoryPool())
        functions = nghttp2_mem(
            mem_user_data: pool, malloc: poolAllocate, free: poolFree, calloc: poolAllocateZeroed,
            realloc: poolReallocate)
    }

    deinit {
        pool.pointee.freeChunks()
        pool.deinitialize(count: 1)
        pool.deallocate()
    }
}

/// Blocks that are 8 bytes short of a multiple of 16, each behind 8 bytes that hold its capacity.
private struct MemoryPool {
    static var largest: Int { 1024 - header }
    private static var header: Int { 8 }
    private static var chunk: Int { 16 << 10 }

    /// Heads of the free lists by size / 16; a free block holds the address of the next.
    private var free: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private var next: UnsafeMutableRawPointer?
    private var left = 0
    /// A chunk begins with the address of the one before it.
    private var chunks: UnsafeMutableRawPointer?

    init() {
        let lists = (MemoryPool.largest + MemoryPool.header) / 16 + 1
        free = .allocate(capacity: lists)
        free.initialize(repeating: nil, count: lists)
    }

    func freeChunks() {
        var chunk = chunks
        while let current = chunk {
            chunk = current.load(as: UnsafeMutableRawPointer?.self)
            Glibc.free(current)
        }
        free.deallocate()
    }

    @inline(__always)
    static func capacity(_ block: UnsafeMutableRawPointer) -> Int {
        (block - header).load(as: Int.self)
    }

    @inline(__always)
    mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size <= MemoryPool.largest else { return MemoryPool.system(size) }
        let list = max(size &+ MemoryPool.header &+ 15, 32) &>> 4
        if let block = free[list] {
            free[list] = block.load(as: UnsafeMutableRawPointer?.self)
            return block
        }
        return carve(list &<< 4)
    }

    /// A block of the system's, with room for the header in front, aligned to 16.
    private static func system(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size < .max - 64, let memory = malloc(size + 16) else { return nil }
        (memory + header).storeBytes(of: size, as: Int.self)
        return memory + 16
    }

    /// A new block of so many bytes, header and all.
    private mutating func carve(_ bytes: Int) -> UnsafeMutableRawPointer? {
        if left < bytes {
            guard let fresh = malloc(MemoryPool.chunk) else { return nil }
            fresh.storeBytes(of: chunks, as: UnsafeMutableRawPointer?.self)
            chunks = fresh
            // Behind the link; blocks are aligned to 16 because their headers are not.
            next = fresh + 8
            left = MemoryPool.chunk - 8
        }
        guard let place = next else { return nil }
        place.storeBytes(of: bytes - MemoryPool.header, as: Int.self)
        next = place + bytes
        left -= bytes
        return place + MemoryPool.header
    }

    @inline(__always)
    mutating func release(_ block: UnsafeMutableRawPointer) {
        let capacity = MemoryPool.capacity(block)
        guard capacity <= MemoryPool.largest else { return Glibc.free(block - 16) }
        let list = (capacity &+ MemoryPool.header) &>> 4
        block.storeBytes(of: free[list], as: UnsafeMutableRawPointer?.self)
        free[list] = block
    }
}

private func poolAllocate(_ size: Int, _ data: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
{
    data?.assumingMemoryBound(to: MemoryPool.self).pointee.allocate(size)
}

private func poolFree(_ block: UnsafeMutableRawPointer?, _ data: UnsafeMutableRawPointer?) {
    guard let block else { return }
    data?.assumingMemoryBound(to: MemoryPool.self).pointee.release(block)
}

private func poolAllocateZeroed(
    _ count: Int, _ size: Int, _ data: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
    let (total, overflow) = count.multipliedReportingOverflow(by: size)
    guard !overflow, let block = poolAllocate(total, data) else { return nil }
    memset(block, 0, total)
    return block
}

private func poolReallocate(
    _ block: UnsafeMutableRawPointer?, _ size: Int, _ data: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
    guard let block else { return poolAllocate(size, data) }
    let capacity = MemoryPool.capacity(block)
    if size <= capacity { return block }
    guard let larger = poolAllocate(size, data) else { return nil }
    memcpy(larger, block, capacity)
    poolFree(block, data)
    return larger
}
