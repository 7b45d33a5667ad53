import CUV

/// Watches one signal for as long as its loop runs.
final class SignalWatcher {
    private let handle = UnsafeMutablePointer<uv_signal_t>.allocate(capacity: 1)
    private let body: @Sendable () -> Void

    init(loop: EventLoop, number: Int32, _ body: @escaping @Sendable () -> Void) {
        self.body = body
        handle.initialize(to: uv_signal_t())
        uv_signal_init(loop.raw, handle)
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        uv_signal_start(
            handle,
            { handle, _ in
                guard let data = handle?.pointee.data else { return }
                Unmanaged<SignalWatcher>.fromOpaque(data).takeUnretainedValue().body()
            }, number)
    }
}
