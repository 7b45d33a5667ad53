import CUV

/// One piece of work on libuv's thread pool; keeps itself alive until it is done.
final class BlockingWork {
    private let request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
    private let body: @Sendable () -> Void

    private init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    deinit { request.deallocate() }

    static func queue(on loop: EventLoop, _ body: @escaping @Sendable () -> Void) {
        let work = BlockingWork(body)
        work.request.initialize(to: uv_work_t())
        work.request.pointee.data = Unmanaged.passRetained(work).toOpaque()
        let code = uv_queue_work(
            loop.raw, work.request,
            { request in
                guard let data = request?.pointee.data else { return }
                Unmanaged<BlockingWork>.fromOpaque(data).takeUnretainedValue().body()
            },
            { request, _ in
                guard let data = request?.pointee.data else { return }
                Unmanaged<BlockingWork>.fromOpaque(data).release()
            })
        precondition(code == 0, "uv_queue_work: \(code)")
    }
}
