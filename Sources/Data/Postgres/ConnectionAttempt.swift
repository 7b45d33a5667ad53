import CLibpq
import Environment
import Loop

/// One attempt to connect, with `PQconnectPoll` on the loop (manual, section 34.1). Loop only.
final class ConnectionAttempt: @unchecked Sendable {
    typealias Outcome = Result<PostgresConnection, PostgresError>

    private static let oldestServer: Int32 = 150_000

    private let configuration: PostgresConfiguration
    private let loop: EventLoop
    private var completion: ((Outcome) -> Void)?
    private var handle: ConnectionHandle?
    private var watcher: DescriptorWatcher?
    private var timer: LoopTimer?

    private init(
        _ configuration: PostgresConfiguration, _ loop: EventLoop,
        _ completion: @escaping (Outcome) -> Void
    ) {
        self.configuration = configuration
        self.loop = loop
        self.completion = completion
    }

    /// Calls `completion` once, on the loop, within the configured time.
    @discardableResult
    static func start(
        _ configuration: PostgresConfiguration, on loop: EventLoop,
        _ completion: @escaping (Outcome) -> Void
    ) -> ConnectionAttempt {
        let attempt = ConnectionAttempt(configuration, loop, completion)
        attempt.begin()
        return attempt
    }

    private func begin() {
        let parameters: [(String, String)]
        do {
            parameters = try configuration.parameters()
        } catch {
            // Later, so that nobody is called back before `start` has returned.
            return loop.execute { self.finish(.failure(error)) }
        }
        timer = loop.schedule(after: configuration.connectTimeout) { self.timedOut() }
        loop.offload {
            Result { () throws(PostgresError) in try ConnectionHandle(parameters: parameters) }
        } then: {
            self.started($0)
        }
    }

    /// Gives up; `completion` is called with the error.
    func cancel() { finish(.failure(.poolClosed)) }

    private func timedOut() {
        finish(
            .failure(
                PostgresError(
                    code: .connectFailed, message: "no connection in time", blame: .database)))
    }

    private func started(_ result: Result<ConnectionHandle, PostgresError>) {
        guard completion != nil else { return }
        switch result {
        case .failure(let error): finish(.failure(error))
        case .success(let handle):
            self.handle = handle
            // "Behave as if it last returned PGRES_POLLING_WRITING."
            watch(.writable)
        }
    }

    private func poll() {
        guard let handle, completion != nil else { return }
        // libpq may replace its socket in here, also by another one with the same number.
        watcher?.close()
        watcher = nil
        let status = handle.pollConnect()
        if status == PGRES_POLLING_READING {
            watch(.readable)
        } else if status == PGRES_POLLING_WRITING {
            watch(.writable)
        } else if status == PGRES_POLLING_OK {
            established(handle)
        } else {
            finish(.failure(handle.connectError()))
        }
    }

    private func watch(_ events: DescriptorWatcher.Events) {
        guard let handle else { return }
        do {
            watcher = try DescriptorWatcher(loop: loop, descriptor: handle.descriptor) {
                [unowned self] _, _ in
                self.poll()
            }
            watcher?.watch(events)
        } catch {
            finish(
                .failure(
                    PostgresError(code: .connectFailed, message: error.description, blame: .us)))
        }
    }

    private func established(_ handle: ConnectionHandle) {
        guard handle.serverVersion >= Self.oldestServer else {
            let error = PostgresError(
                code: .unsupportedServer,
                message: "server version \(handle.serverVersion) is below 15", blame: .us)
            return finish(.failure(error))
        }
        finish(
            Result { () throws(PostgresError) in
                try PostgresConnection(handle: handle, loop: loop, configuration: configuration)
            })
    }

    private func finish(_ outcome: Outcome) {
        guard let completion else { return }
        self.completion = nil
        timer?.cancel()
        timer = nil
        watcher?.close()
        watcher = nil
        if case .failure = outcome { handle?.close() }
        handle = nil
        completion(outcome)
    }
}
