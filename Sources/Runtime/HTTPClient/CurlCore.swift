import CCurl
import Environment
import Loop

/// libcurl's multi handle and the sockets that it wants watched. Loop only.
final class CurlCore: @unchecked Sendable {  // confined to `loop`, asserted
    let loop: EventLoop
    private let configuration: HTTPClientConfiguration
    private var multi: UnsafeMutableRawPointer?
    private var isClosed = false
    private var transfers: [UnsafeMutableRawPointer: Transfer] = [:]
    private var watchers: [Int32: DescriptorWatcher] = [:]
    private var timer: LoopTimer?

    /// Once for the process; safe from any thread since libcurl 7.84.
    private static let library: Void = { _ = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) }()

    init(_ configuration: HTTPClientConfiguration, _ loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
        Self.library
    }

    // MARK: Exchanges

    func start(
        _ transfer: Transfer, _ continuation: CheckedContinuation<HTTPClientResponse, any Error>
    ) {
        loop.preconditionInLoop()
        guard !transfer.isOver else {
            return continuation.resume(throwing: CancellationError())
        }
        transfer.wait(continuation)
        do throws(HTTPClientError) {
            guard !isClosed else { throw .closed }
            guard transfers.count < configuration.maxRequests else {
                throw HTTPClientError(
                    .tooManyRequests, "\(transfers.count) requests are running", blame: .us)
            }
            let deadline = transfer.request.deadline ?? .after(configuration.requestTimeout)
            guard !deadline.hasPassed else { throw transfer.timeIsOver }
            try transfer.prepare(configuration)
            guard let easy = transfer.easy else { throw .closed }
            transfers[easy] = transfer
            let code = curl_multi_add_handle(try opened(), easy)
            guard code == CURLM_OK else {
                transfers[easy] = nil
                throw HTTPClientError(
                    .closed, "curl cannot go on", blame: .us,
                    cause: String(cString: curl_multi_strerror(code)))
            }
            transfer.expire(after: deadline.remaining, on: loop) {
                [unowned self, unowned transfer] in
                end(transfer, transfer.timeIsOver)
            }
        } catch {
            transfer.finish(.failure(error))
        }
    }

    func cancel(_ transfer: Transfer) {
        loop.preconditionInLoop()
        if transfer.isOver { return }
        guard transfer.easy != nil else { return transfer.abandon() }
        end(transfer, CancellationError())
    }

    private func end(_ transfer: Transfer, _ error: any Error) {
        guard !transfer.isOver, let easy = transfer.easy else { return }
        transfers[easy] = nil
        curl_multi_remove_handle(multi, easy)
        transfer.finish(.failure(error))
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        for transfer in Array(transfers.values) { end(transfer, HTTPClientError.closed) }
        timer?.cancel()
        timer = nil
        guard let multi else { return }
        _ = janji_curlm_set_timer_callback(multi, nil, nil)
        // Closes the kept connections, and takes their watchers away first.
        curl_multi_cleanup(multi)
        self.multi = nil
        for watcher in watchers.values { watcher.close() }
        watchers = [:]
    }

    // MARK: What curl asks for

    private func opened() throws(HTTPClientError) -> UnsafeMutableRawPointer {
        if let multi { return multi }
        guard let multi = curl_multi_init() else {
            throw HTTPClientError(.closed, "no memory for requests", blame: .us)
        }
        self.multi = multi
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = janji_curlm_set_socket_callback(
            multi,
            { _, descriptor, what, data, _ in
                CurlCore.of(data).watch(descriptor, what)
                return 0
            }, me)
        _ = janji_curlm_set_timer_callback(
            multi,
            { _, milliseconds, data in
                CurlCore.of(data).wake(after: milliseconds)
                return 0
            }, me)
        _ = janji_curlm_set_long(
            multi, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost)
        _ = janji_curlm_set_long(
            multi, CURLMOPT_MAXCONNECTS, configuration.maxIdleConnections)
        return multi
    }

    private static func of(_ data: UnsafeMutableRawPointer?) -> CurlCore {
        guard let data else { preconditionFailure("a multi handle without its core") }
        return Unmanaged<CurlCore>.fromOpaque(data).takeUnretainedValue()
    }

    private func watch(_ descriptor: Int32, _ what: Int32) {
        guard what != CURL_POLL_REMOVE else {
            watchers.removeValue(forKey: descriptor)?.close()
            return
        }
        guard let watcher = watchers[descriptor] ?? makeWatcher(descriptor) else { return }
        var events: DescriptorWatcher.Events = []
        if what & CURL_POLL_IN != 0 { events.insert(.readable) }
        if what & CURL_POLL_OUT != 0 { events.insert(.writable) }
        watcher.watch(events)
    }

    /// Nil when the descriptor cannot be polled: the deadline ends such an exchange.
    private func makeWatcher(_ descriptor: Int32) -> DescriptorWatcher? {
        let watcher = try? DescriptorWatcher(loop: loop, descriptor: descriptor) {
            [unowned self] events, error in
            var mask: Int32 = 0
            if events.contains(.readable) { mask |= CURL_CSELECT_IN }
            if events.contains(.writable) { mask |= CURL_CSELECT_OUT }
            if error != nil { mask |= CURL_CSELECT_ERR }
            act(descriptor, mask)
        }
        watchers[descriptor] = watcher
        return watcher
    }

    private func wake(after milliseconds: Int) {
        timer?.cancel()
        timer = nil
        guard milliseconds >= 0 else { return }
        timer = loop.schedule(after: .milliseconds(milliseconds)) { [unowned self] in
            timer = nil
            act(CURL_SOCKET_TIMEOUT, 0)
        }
    }

    private func act(_ descriptor: Int32, _ mask: Int32) {
        guard let multi else { return }
        var running: Int32 = 0
        curl_multi_socket_action(multi, descriptor, mask, &running)
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle,
                let transfer = transfers.removeValue(forKey: easy)
            else { continue }
            let outcome = transfer.outcome(message.pointee.data.result)
            curl_multi_remove_handle(multi, easy)
            transfer.finish(outcome)
        }
    }
}
