import Synchronization

/// zlib streams that nobody uses at the moment. Making one costs more than compressing a small
/// message (a compressor has 256 KiB of tables), and one per connection would be too many.
final class StreamPool<Stream: AnyObject & Sendable>: Sendable {
    /// As many as can be busy at once on most machines: one per loop.
    private static var limit: Int { 16 }

    private let idle = Mutex<[Stream]>([])

    func take() -> Stream? {
        idle.withLock { $0.popLast() }
    }

    func give(_ stream: Stream) {
        idle.withLock { idle in
            if idle.count < StreamPool.limit { idle.append(stream) }
        }
    }
}
