import CProtobufC
import Glibc

/// A bump allocator per thread, reused by every encoding and decoding on it.
///
/// Codec calls are synchronous and nest strictly, so memory is given back by mark and release.
/// Lives in malloc'ed memory because libprotobuf-c holds its address.
@usableFromInline
struct Arena {
    @usableFromInline var next: UnsafeMutableRawPointer
    @usableFromInline var end: UnsafeMutableRawPointer
    /// The chunk `next` points into; a chunk begins with the address of the one before it.
    var chunk: UnsafeMutableRawPointer
    /// Bytes that further chunks may take before allocation fails.
    var budget: Int
    var allocator: ProtobufCAllocator

    /// Kept per thread for ever; larger messages take further chunks for their duration.
    static var firstChunk: Int { 64 << 10 }
    static var chunkHeader: Int { 16 }

    struct Mark {
        var next: UnsafeMutableRawPointer
        var end: UnsafeMutableRawPointer
        var chunk: UnsafeMutableRawPointer
        var budget: Int
    }

    /// The calling thread's arena.
    static var current: UnsafeMutablePointer<Arena> {
        if let known = pthread_getspecific(arenaKey) {
            return known.assumingMemoryBound(to: Arena.self)
        }
        let arena = create()
        pthread_setspecific(arenaKey, arena)
        return arena
    }

    private static func create() -> UnsafeMutablePointer<Arena> {
        let arena = UnsafeMutablePointer<Arena>.allocate(capacity: 1)
        guard let chunk = malloc(firstChunk) else { fatalError("no memory for a protobuf arena") }
        chunk.storeBytes(of: nil, as: UnsafeMutableRawPointer?.self)
        let allocator = ProtobufCAllocator(
            alloc: allocateInArena, free: freeInArena, allocator_data: arena)
        arena.initialize(
            to: Arena(
                next: chunk + chunkHeader, end: chunk + firstChunk, chunk: chunk, budget: .max,
                allocator: allocator))
        return arena
    }

    static func destroy(_ arena: UnsafeMutablePointer<Arena>) {
        var chunk: UnsafeMutableRawPointer? = arena.pointee.chunk
        while let current = chunk {
            chunk = current.load(as: UnsafeMutableRawPointer?.self)
            free(current)
        }
        arena.deallocate()
    }

    var mark: Mark { Mark(next: next, end: end, chunk: chunk, budget: budget) }

    mutating func release(_ mark: Mark) {
        while chunk != mark.chunk {
            guard let previous = chunk.load(as: UnsafeMutableRawPointer?.self) else { break }
            free(chunk)
            chunk = previous
        }
        next = mark.next
        end = mark.end
        budget = mark.budget
    }

    /// 8-aligned memory, nil when the budget is spent.
    @inlinable @inline(__always)
    mutating func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        let rounded = (size &+ 7) & ~7
        if rounded <= end - next {
            let result = next
            next = result + rounded
            return result
        }
        return grow(rounded)
    }

    /// For encodings, whose size is bounded by the values that are already in memory.
    @inlinable @inline(__always)
    mutating func require(_ size: Int) -> UnsafeMutableRawPointer {
        guard let memory = allocate(size) else { fatalError("no memory to encode a message") }
        return memory
    }

    @usableFromInline
    mutating func grow(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size >= 0, size < budget else { return nil }
        let wanted = max(Arena.firstChunk * 4, size + Arena.chunkHeader)
        guard let fresh = malloc(wanted) else { return nil }
        budget -= wanted
        fresh.storeBytes(of: chunk, as: UnsafeMutableRawPointer?.self)
        chunk = fresh
        next = fresh + Arena.chunkHeader + size
        end = fresh + wanted
        return fresh + Arena.chunkHeader
    }
}

private let arenaKey: pthread_key_t = {
    var key = pthread_key_t()
    let failure = pthread_key_create(&key) { pointer in
        guard let pointer else { return }
        Arena.destroy(pointer.assumingMemoryBound(to: Arena.self))
    }
    precondition(failure == 0, "no thread-specific key for protobuf arenas")
    return key
}()

/// `alloc` of the arena's `ProtobufCAllocator`; `data` is the arena of the calling thread.
private func allocateInArena(
    _ data: UnsafeMutableRawPointer?, _ size: Int
) -> UnsafeMutableRawPointer? {
    data?.assumingMemoryBound(to: Arena.self).pointee.allocate(size)
}

/// Memory goes back with `release`.
private func freeInArena(_ data: UnsafeMutableRawPointer?, _ pointer: UnsafeMutableRawPointer?) {}
