import Environment
import Loop
import RPC

/// A host name by the system's resolver: looked up at the start, after failures of connections
/// (not more often than the minimum interval) and, with back-off, after failures of its own.
final class DNSResolver: NameResolver, @unchecked Sendable {
    // Confined to the channel's loop.

    typealias Lookup = @Sendable (String, UInt16, EventLoop) async throws -> [SocketAddress]

    private let host: String
    private let port: UInt16
    private let minimumInterval: Duration
    private let lookup: Lookup
    private var backoff: Backoff
    private var loop: EventLoop?
    private var report: (@Sendable (NameResolution) -> Void)?
    private var isRunning = false
    private var running: Task<Void, Never>?
    private var timer: LoopTimer?
    private var lastStart: Deadline?

    init(
        host: String, port: UInt16, minimumInterval: Duration, backoff: Backoff,
        lookup: @escaping Lookup = { try await Resolver.resolve(host: $0, port: $1, on: $2) }
    ) {
        self.host = host
        self.port = port
        self.minimumInterval = minimumInterval
        self.backoff = backoff
        self.lookup = lookup
    }

    func start(on loop: EventLoop, _ report: @escaping @Sendable (NameResolution) -> Void) {
        self.loop = loop
        self.report = report
        begin()
    }

    func refresh() {
        guard let loop, report != nil, !isRunning, timer == nil else { return }
        let earliest = lastStart.map { $0 + minimumInterval } ?? loop.now
        if earliest <= loop.now {
            begin()
        } else {
            timer = loop.schedule(after: earliest.remaining) { [self] in begin() }
        }
    }

    func stop() {
        report = nil
        timer?.cancel()
        timer = nil
        running?.cancel()
        isRunning = false
    }

    private func begin() {
        timer = nil
        guard let loop, report != nil, !isRunning else { return }
        lastStart = loop.now
        isRunning = true
        let (host, port, lookup) = (host, port, lookup)
        running = Task.immediate(executorPreference: loop) { [self] in
            let found: Result<[SocketAddress], RPCError>
            do {
                found = .success(try await lookup(host, port, loop))
            } catch {
                found = .failure(
                    RPCError(
                        .unavailable, "no address of the server", blame: .peer,
                        cause: "\(error)", connectionFailure: .resolution))
            }
            // Stopped, and perhaps started anew, while the lookup ran.
            if !Task.isCancelled { end(found, on: loop) }
        }
    }

    private func end(_ found: Result<[SocketAddress], RPCError>, on loop: EventLoop) {
        isRunning = false
        switch found {
        case .success: backoff.reset()
        case .failure:
            timer = loop.schedule(after: backoff.delay()) { [self] in begin() }
        }
        report?(NameResolution(addresses: found))
    }
}
