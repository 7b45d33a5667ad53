import CLibpq
import Environment
import Loop

/// One connection in pipeline mode. Loop only, apart from `perform`.
///
/// At most one exchange is with the server; others wait in line. A connection whose state is not
/// known is closed and never used again. When a caller leaves early (deadline, cancellation) the
/// statement is cancelled on the server, and the connection rests until both the statement and the
/// request to cancel it have ended, so that a late cancellation cannot hit the next statement.
final class PostgresConnection: @unchecked Sendable {
    private enum Slot {
        case deallocate
        case prepare(text: String, name: String)
        case execute(Int, text: String)
        case sync
        case script
    }

    let loop: EventLoop
    let handle: ConnectionHandle
    let backendID: Int32
    /// Which series of connections of the pool this one belongs to.
    var generation = 0
    /// Called once, when the connection has ended.
    var onClose: ((PostgresConnection, PostgresError) -> Void)?
    private(set) var isClosed = false

    private let cancelGrace: Duration
    private var watcher: DescriptorWatcher?
    private var current: Exchange?
    private var line: [Exchange] = []
    private var slots: [Slot] = []
    private var slotIndex = 0
    private var slotIsAnswered = false
    private var cache: StatementCache
    private var toDeallocate: [String] = []
    private var cancelIsUnderWay = false
    private var graceEnds: Deadline?
    private var timer: LoopTimer?
    private var timerDue = Deadline.distantFuture
    private var idleCallbacks: [() -> Void] = []

    /// Takes over a connection that has just been established.
    init(
        handle: ConnectionHandle, loop: EventLoop, configuration: PostgresConfiguration
    ) throws(PostgresError) {
        self.loop = loop
        self.handle = handle
        backendID = handle.backendID
        cancelGrace = configuration.cancelGrace
        cache = StatementCache(capacity: configuration.statementCacheSize)
        guard handle.enterPipeline() else { throw handle.connectError() }
        do {
            watcher = try DescriptorWatcher(loop: loop, descriptor: handle.descriptor) {
                [unowned self] _, error in
                self.socketIsReady(error)
            }
        } catch {
            throw PostgresError(
                code: .connectFailed, message: error.description, blame: .us)
        }
        watcher?.watch(.readable)
    }

    var isIdle: Bool {
        !isClosed && current == nil && line.isEmpty && !cancelIsUnderWay
    }

    /// No transaction is open; only meaningful while idle.
    var isOutsideTransaction: Bool { handle.transactionStatus == PQTRANS_IDLE }

    /// The last answer left a transaction open that has not failed. Any thread, when nothing runs.
    var isInTransaction: Bool { handle.transactionStatus == PQTRANS_INTRANS }

    /// Calls `body` as soon as the connection is idle, or has been closed.
    func whenIdle(_ body: @escaping () -> Void) {
        if isIdle || isClosed { body() } else { idleCallbacks.append(body) }
    }

    // MARK: Exchanges

    /// Sends the exchange, now or after those before it.
    func start(_ exchange: Exchange) {
        loop.preconditionInLoop()
        if exchange.isAnswered { return }
        if isClosed {
            exchange.answer(.failure(.connectionLost("the connection is closed")))
        } else if let problem = exchange.problem {
            exchange.answer(.failure(problem))
        } else if exchange.deadline.hasPassed {
            exchange.answer(.failure(.deadlineExceeded))
        } else {
            line.append(exchange)
            wakeTimer(at: exchange.deadline)
            sendNext()
        }
    }

    /// The caller of this exchange has gone.
    func abandon(_ exchange: Exchange, _ reason: PostgresError) {
        if isClosed || exchange.isAnswered { return }
        if current === exchange {
            exchange.abandon(reason, wasSent: true)
            cancelCurrent()
        } else {
            line.removeAll { $0 === exchange }
            exchange.abandon(reason, wasSent: false)
            becomeIdle()
        }
    }

    private func sendNext() {
        guard !isClosed, current == nil, !cancelIsUnderWay, !line.isEmpty else { return }
        let exchange = line.removeFirst()
        if exchange.needsTransaction, isOutsideTransaction {
            exchange.answer(.failure(.invalidUse("the transaction was never begun")))
            return sendNext()
        }
        current = exchange
        slots.removeAll(keepingCapacity: true)
        slotIndex = 0
        slotIsAnswered = false
        let isSent =
            switch exchange.work {
            case .statements(let statements): queue(statements)
            case .script(let text): queueScript(text)
            }
        guard isSent else { return close(.connectionLost(handle.errorMessage)) }
        flush()
    }

    private func queueScript(_ text: String) -> Bool {
        slots.append(.script)
        return handle.exitPipeline() && handle.sendScript(text)
    }

    private func queue(_ statements: [SQL]) -> Bool {
        if !toDeallocate.isEmpty, isOutsideTransaction {
            // Only outside of transactions: in a failed one it would fail, and ROLLBACK with it.
            for name in toDeallocate {
                slots.append(.deallocate)
                guard handle.sendCommand("deallocate \(name)") else { return false }
            }
            toDeallocate.removeAll()
        }
        var pending: [(text: String, name: String)] = []
        for (index, statement) in statements.enumerated() {
            let text = statement.text
            var name = cache.name(of: text) ?? pending.first { $0.text == text }?.name
            if name == nil {
                if let evicted = cache.evict(pending: pending.count) {
                    toDeallocate.append(evicted)
                }
                let new = cache.newName()
                pending.append((text, new))
                slots.append(.prepare(text: text, name: new))
                guard handle.sendPrepare(name: new, text: text, statement.parameters) else {
                    return false
                }
                name = new
            }
            slots.append(.execute(index, text: text))
            guard let name, handle.sendExecute(name: name, statement.parameters) else {
                return false
            }
        }
        slots.append(.sync)
        return handle.sync()
    }

    private func flush() {
        switch handle.flush() {
        case 0: watcher?.watch(.readable)
        case 1: watcher?.watch([.readable, .writable])
        default: close(.connectionLost(handle.errorMessage))
        }
    }

    // MARK: Answers

    private func socketIsReady(_ error: LoopError?) {
        guard !isClosed else { return }
        let isAlive = error == nil && handle.consumeInput()
        if isAlive {
            flush()
            readResults()
        } else {
            // What came with the end of the connection says why it ended.
            readResults()
            close(.connectionLost(error?.description ?? handle.errorMessage))
        }
    }

    private func readResults() {
        var emptyReads = 0
        while !isClosed, current != nil, !handle.isBusy {
            if let result = handle.nextResult() {
                emptyReads = 0
                take(result)
            } else {
                // One end mark follows each statement; more of them mean that nothing comes.
                emptyReads += 1
                guard emptyReads < 4 else { break }
                endSlot()
            }
        }
        if !isClosed, handle.isBroken { close(.connectionLost(handle.errorMessage)) }
    }

    private func take(_ result: ResultHandle) {
        guard let exchange = current, slotIndex < slots.count else {
            return close(unexpected("a result that nobody asked for"))
        }
        let slot = slots[slotIndex]
        slotIsAnswered = true
        if result.isError {
            return takeError(result.makeError(), slot, exchange)
        }
        switch (slot, result.status) {
        case (.sync, PGRES_PIPELINE_SYNC): finishCurrent()
        case (_, PGRES_PIPELINE_ABORTED): break
        case (.deallocate, PGRES_COMMAND_OK), (.script, PGRES_COMMAND_OK),
            (.script, PGRES_TUPLES_OK), (.script, PGRES_EMPTY_QUERY):
            break
        case (.prepare(let text, let name), PGRES_COMMAND_OK):
            cache.insert(text, name: name)
        case (.execute(let index, _), PGRES_COMMAND_OK), (.execute(let index, _), PGRES_TUPLES_OK),
            (.execute(let index, _), PGRES_EMPTY_QUERY):
            exchange.results.append(PostgresRows(result: result))
            if index == exchange.commitIndex { checkCommit(result, exchange) }
        default:
            close(unexpected("result status \(result.status.rawValue)"))
        }
    }

    private func takeError(_ error: PostgresError, _ slot: Slot, _ exchange: Exchange) {
        var isOfCommit = false
        switch slot {
        case .sync: isOfCommit = true
        case .execute(let index, let text):
            isOfCommit = index == exchange.commitIndex
            if error.isStalePlan, let name = cache.remove(text) { toDeallocate.append(name) }
        case .deallocate, .prepare, .script: break
        }
        if handle.isBroken, error.code == .connectionLost { return close(error) }
        exchange.recordError(error, ofCommit: isOfCommit)
    }

    /// A failed transaction answers ROLLBACK to COMMIT, and a missing standby only warns.
    private func checkCommit(_ result: ResultHandle, _ exchange: Exchange) {
        if !result.hasCommandTag("COMMIT") {
            let error = PostgresError(
                code: .commitRefused, message: "COMMIT answered \(result.commandTag)", blame: .us)
            exchange.recordError(error, ofCommit: false)
        } else if handle.takeReplicationWarning() {
            let error = PostgresError(
                code: .commitUnknown, message: "committed here, maybe not on the standby",
                blame: .database, isAmbiguous: true)
            exchange.recordError(error, ofCommit: true)
        }
    }

    private func endSlot() {
        guard slotIsAnswered, slotIndex < slots.count else { return }
        switch slots[slotIndex] {
        case .sync: return
        case .script:
            guard handle.enterPipeline() else {
                return close(unexpected("no way back into the pipeline"))
            }
            finishCurrent()
        case .deallocate, .prepare, .execute:
            slotIndex += 1
            slotIsAnswered = false
        }
    }

    private func finishCurrent() {
        guard let exchange = current else { return }
        current = nil
        graceEnds = nil
        exchange.finish()
        sendNext()
        becomeIdle()
    }

    private func becomeIdle() {
        guard isIdle, !idleCallbacks.isEmpty else { return }
        let callbacks = idleCallbacks
        idleCallbacks = []
        for callback in callbacks { callback() }
    }

    private func unexpected(_ what: String) -> PostgresError {
        PostgresError(code: .unsupportedServer, message: "unexpected: \(what)", blame: .database)
    }

    // MARK: Deadlines

    /// One timer for all deadlines; it is moved only towards the present, so that starting an
    /// exchange rarely touches it.
    private func wakeTimer(at due: Deadline) {
        guard due < timerDue else { return }
        timerDue = due
        timer?.cancel()
        timer = loop.schedule(after: due.remaining) { [unowned self] in self.timerFired() }
    }

    private func timerFired() {
        timer = nil
        timerDue = .distantFuture
        let now = Deadline.now()
        if let graceEnds, graceEnds <= now {
            return close(.connectionLost("a cancelled statement did not end"))
        }
        for exchange in line where exchange.deadline <= now {
            abandon(exchange, .deadlineExceeded)
        }
        if let current, !current.isAnswered, current.deadline <= now {
            abandon(current, .deadlineExceeded)
        }
        guard !isClosed else { return }
        if let graceEnds { wakeTimer(at: graceEnds) }
        if let current, !current.isAnswered { wakeTimer(at: current.deadline) }
        for exchange in line { wakeTimer(at: exchange.deadline) }
    }

    private func cancelCurrent() {
        let graceEnds = loop.now + cancelGrace
        self.graceEnds = graceEnds
        wakeTimer(at: graceEnds)
        guard !cancelIsUnderWay, let cancel = handle.makeCancelHandle() else { return }
        cancelIsUnderWay = true
        loop.offload {
            cancel.cancel()
        } then: { [self] in
            cancelIsUnderWay = false
            sendNext()
            becomeIdle()
        }
    }

    // MARK: The end

    /// Ends the connection and everything that waits for it.
    func close(_ reason: PostgresError) {
        guard !isClosed else { return }
        isClosed = true
        timer?.cancel()
        timer = nil
        watcher?.close()
        watcher = nil
        handle.close()
        let (sent, waiting) = (current, line)
        current = nil
        line = []
        sent?.lose(reason)
        for exchange in waiting { exchange.answer(.failure(reason)) }
        onClose?(self, sent?.error ?? reason)
        onClose = nil
        let callbacks = idleCallbacks
        idleCallbacks = []
        for callback in callbacks { callback() }
    }
}
