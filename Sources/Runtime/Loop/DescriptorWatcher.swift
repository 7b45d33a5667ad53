import CUV

/// Tells when a descriptor owned by somebody else (a C library) can be read or written.
/// Loop only. ``close()`` ends the watching and never closes the descriptor.
public final class DescriptorWatcher {
    public struct Events: OptionSet, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }
        public static let readable = Events(rawValue: Int32(UV_READABLE.rawValue))
        public static let writable = Events(rawValue: Int32(UV_WRITABLE.rawValue))
        public static let disconnect = Events(rawValue: Int32(UV_DISCONNECT.rawValue))
    }

    private var handle: UnsafeMutablePointer<uv_poll_t>?
    private let onEvents: (Events, LoopError?) -> Void
    private var watched: Events = []

    /// - Throws: `LoopError` when the descriptor cannot be polled.
    public init(
        loop: EventLoop, descriptor: Int32,
        _ onEvents: @escaping (Events, LoopError?) -> Void
    ) throws(LoopError) {
        loop.preconditionInLoop()
        self.onEvents = onEvents
        let handle = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
        handle.initialize(to: uv_poll_t())
        let code = uv_poll_init(loop.raw, handle, descriptor)
        if code < 0 {
            handle.deallocate()
            throw LoopError(code: code, operation: "watch descriptor \(descriptor)")
        }
        // Balanced in `close`: the watcher lives while libuv may call it.
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
        self.handle = handle
    }

    /// Sets what is watched for; an empty set pauses.
    public func watch(_ events: Events) {
        // A loop that stops has closed it, and libuv aborts on that.
        guard let handle, events != watched, !Handle.isClosing(handle) else { return }
        watched = events
        guard !events.isEmpty else {
            uv_poll_stop(handle)
            return
        }
        uv_poll_start(handle, events.rawValue) { handle, status, events in
            guard let data = handle?.pointee.data else { return }
            let watcher = Unmanaged<DescriptorWatcher>.fromOpaque(data).takeUnretainedValue()
            let error = status < 0 ? LoopError(code: status, operation: "poll") : nil
            watcher.onEvents(Events(rawValue: events), error)
        }
    }

    /// Stops watching for good. Must come before the descriptor itself is closed.
    public func close() {
        guard let handle else { return }
        self.handle = nil
        Handle.close(handle)
        Unmanaged.passUnretained(self).release()
    }
}
