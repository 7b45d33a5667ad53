import Environment
import Loop
import Telemetry

/// The connections of a pool and those who wait for them. Loop only.
final class PoolCore: @unchecked Sendable {
    /// A time without any connection, after at least one failed attempt to get one.
    private struct Outage {
        let since = Deadline.now()
        var attempts = 0
        var error: PostgresError
    }

    private static let firstBackoff = Duration.milliseconds(50)
    private static let longestBackoff = Duration.seconds(1)

    let configuration: PostgresConfiguration
    let loop: EventLoop
    let metrics: PostgresMetrics
    private let logger: Logger

    private var idle: [PostgresConnection] = []
    private var open: [ObjectIdentifier: PostgresConnection] = [:]
    private var opening = 0
    private var attempts: [ObjectIdentifier: ConnectionAttempt] = [:]
    private var waiters = WaitQueue()
    private var generation = 0
    private var outage: Outage?
    private var retryTimer: LoopTimer?
    private var waitTimer: LoopTimer?
    private var waitTimerDue = Deadline.distantFuture
    private var isClosed = false
    private var keepsMinimum = false
    private var closeCallbacks: [() -> Void] = []

    init(
        _ configuration: PostgresConfiguration, _ loop: EventLoop, _ logger: Logger,
        _ metrics: PostgresMetrics
    ) {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        self.metrics = metrics
    }

    var openCount: Int { open.count }
    var waiterCount: Int { waiters.count }

    // MARK: Leasing

    /// Answers the waiter with a connection that is its own until ``release(_:)``.
    func acquire(_ waiter: Waiter) {
        loop.preconditionInLoop()
        if waiter.isDone { return }
        if isClosed { return waiter.answer(.failure(.poolClosed)) }
        if let connection = idle.popLast() {
            updateGauges()
            return waiter.answer(.success(connection))
        }
        if let outage, open.isEmpty,
            outage.since.duration(to: .now()) > configuration.acquireTimeout
        {
            // Waiting has not helped anybody for a while: say so at once.
            return waiter.answer(.failure(outage.error))
        }
        guard waiters.count < configuration.queueLimit else {
            return waiter.answer(
                .failure(
                    PostgresError(
                        code: .queueFull, message: "\(waiters.count) callers wait already",
                        blame: .us)))
        }
        waiter.waitsUntil = min(waiter.deadline, .after(configuration.acquireTimeout))
        waiters.append(waiter)
        wakeWaitTimer(at: waiter.waitsUntil)
        updateGauges()
        grow()
    }

    /// The waiter does not want a connection any longer.
    func leave(_ waiter: Waiter, _ reason: PostgresError) {
        waiters.fail(waiter, reason)
        updateGauges()
    }

    /// Takes back a connection in whatever state; unfinished work is ended first.
    func release(_ connection: PostgresConnection) {
        loop.preconditionInLoop()
        connection.whenIdle { [self] in
            if connection.isClosed { return }
            if isClosed || connection.generation != generation {
                connection.close(.poolClosed)
            } else if connection.isOutsideTransaction {
                makeAvailable(connection)
            } else {
                rollBack(connection)
            }
        }
    }

    private func rollBack(_ connection: PostgresConnection) {
        let exchange = Exchange(["rollback"], deadline: .after(configuration.cancelGrace))
        exchange.onAnswer { [self] answer in
            if case .success = answer, connection.isOutsideTransaction {
                release(connection)
            } else {
                connection.close(.connectionLost("the transaction could not be rolled back"))
            }
        }
        connection.start(exchange)
    }

    private func makeAvailable(_ connection: PostgresConnection) {
        if let waiter = waiters.popFirst() {
            waiter.answer(.success(connection))
        } else {
            idle.append(connection)
            finishClosing()
        }
        updateGauges()
    }

    private func wakeWaitTimer(at due: Deadline) {
        guard due < waitTimerDue else { return }
        waitTimerDue = due
        waitTimer?.cancel()
        waitTimer = loop.schedule(after: due.remaining) { [self] in
            waitTimer = nil
            waitTimerDue = .distantFuture
            expireWaiters()
        }
    }

    private func expireWaiters() {
        for waiter in waiters.takeExpired(.now()) {
            if let outage, open.isEmpty {
                waiter.answer(.failure(outage.error))
            } else if waiter.deadline.hasPassed {
                waiter.answer(.failure(.deadlineExceeded))
            } else {
                waiter.answer(
                    .failure(
                        PostgresError(
                            code: .acquireTimedOut, message: "all connections are busy",
                            blame: .us)))
            }
        }
        if let earliest = waiters.earliest { wakeWaitTimer(at: earliest) }
        updateGauges()
    }

    // MARK: Opening

    /// From now on ``grow()`` keeps the configured minimum open.
    func keepMinimum() {
        keepsMinimum = true
        grow()
    }

    private func grow() {
        guard !isClosed, retryTimer == nil else { return }
        if outage != nil {
            // One at a time, so that a server that comes back is not stormed.
            if opening == 0 { openOne() }
            return
        }
        let minimum = keepsMinimum ? configuration.minimumConnections : 0
        while open.count + opening < configuration.poolSize,
            opening < waiters.count || open.count + opening < minimum
        {
            openOne()
        }
    }

    private func openOne() {
        opening += 1
        ConnectionAttempt.start(configuration, on: loop) { [self] outcome in
            opening -= 1
            switch outcome {
            case .success(let connection): opened(connection)
            case .failure(let error): openFailed(error)
            }
        }
    }

    private func opened(_ connection: PostgresConnection) {
        guard !isClosed else {
            connection.close(.poolClosed)
            return finishClosing()
        }
        if let outage {
            logger.info(
                "postgres is reachable again",
                ["attempts": LogValue(outage.attempts), "pool": .string(poolName)])
            self.outage = nil
        }
        connection.generation = generation
        connection.onClose = { [self] in closed($0, $1) }
        open[ObjectIdentifier(connection)] = connection
        makeAvailable(connection)
        grow()
    }

    private func openFailed(_ error: PostgresError) {
        if isClosed { return finishClosing() }
        metrics.count(error)
        if outage == nil {
            outage = Outage(error: error)
            logger.warning(
                "postgres cannot be reached",
                ["pool": .string(poolName), "reason": .string(error.message)])
        }
        outage?.error = error
        outage?.attempts += 1
        guard retryTimer == nil else { return }
        let doublings = min((outage?.attempts ?? 1) - 1, 6)
        let backoff = min(Self.firstBackoff * (1 << doublings), Self.longestBackoff)
        retryTimer = loop.schedule(after: backoff * Double.random(in: 0.5...1)) { [self] in
            retryTimer = nil
            grow()
        }
    }

    private var poolName: String { configuration.applicationName }

    // MARK: Closing

    private func closed(_ connection: PostgresConnection, _ error: PostgresError) {
        open[ObjectIdentifier(connection)] = nil
        idle.removeAll { $0 === connection }
        if isClosed {
            finishClosing()
        } else {
            if error.condemnsServer { leaveServer(error) }
            grow()
        }
        updateGauges()
    }

    /// Drops every idle connection; busy ones follow when they are released.
    func leaveServer(_ error: PostgresError) {
        generation += 1
        let dropped = idle
        idle = []
        if !dropped.isEmpty {
            logger.warning(
                "postgres connections dropped",
                [
                    "count": LogValue(dropped.count), "pool": .string(poolName),
                    "reason": .string(error.description),
                ])
        }
        for connection in dropped { connection.close(.poolClosed) }
    }

    /// Refuses new callers at once, and calls back when every connection has been returned and
    /// closed; after `grace` those still busy are closed too.
    func close(grace: Duration, _ body: @escaping () -> Void) {
        closeCallbacks.append(body)
        guard !isClosed else { return finishClosing() }
        isClosed = true
        retryTimer?.cancel()
        retryTimer = nil
        while let waiter = waiters.popFirst() { waiter.answer(.failure(.poolClosed)) }
        waitTimer?.cancel()
        waitTimer = nil
        let dropped = idle
        idle = []
        for connection in dropped { connection.close(.poolClosed) }
        let timer = loop.schedule(after: grace) { [self] in
            for connection in Array(open.values) { connection.close(.poolClosed) }
        }
        closeCallbacks.append { timer.cancel() }
        finishClosing()
    }

    private func finishClosing() {
        guard isClosed, open.isEmpty, opening == 0 else { return }
        updateGauges()
        let callbacks = closeCallbacks
        closeCallbacks = []
        for callback in callbacks { callback() }
    }

    private func updateGauges() {
        metrics.size.set(open.count)
        metrics.inUse.set(open.count - idle.count)
        metrics.waiting.set(waiters.count)
    }
}
