import CUV
public import Environment
import Glibc
import Synchronization

/// One libuv loop on a thread of its own, and the executor of everything that runs on it.
///
/// A turn of the loop: events arrive and their callbacks run, the Swift jobs that they made ready
/// run, then what was asked for with ``atTurnEnd(_:)`` runs (one write per connection), and only
/// then does the loop wait again. Handlers started on the loop therefore never hop.
///
/// A loop knows bytes and time; it does not know any protocol.
public final class EventLoop: TaskExecutor, @unchecked Sendable {
    /// The name of the loop in logs.
    public let name: String

    let raw: UnsafeMutablePointer<uv_loop_t>
    let readBuffer: UnsafeMutableRawBufferPointer
    private let wakeup: UnsafeMutablePointer<uv_async_t>
    private let prepare: UnsafeMutablePointer<uv_prepare_t>
    private let afterPoll: UnsafeMutablePointer<uv_check_t>
    private let inbox = Mutex(Inbox())
    /// Zero before the thread runs and after it has ended: the system gives its id to others.
    private let thread = Atomic<pthread_t>(0)

    // Confined to the loop's thread.
    @exclusivity(unchecked) private var ready: [Work] = []
    @exclusivity(unchecked) private var readySpare: [Work] = []
    @exclusivity(unchecked) private var turnEnd: [() -> Void] = []
    @exclusivity(unchecked) private var turnEndSpare: [() -> Void] = []
    private var sharedObjects: [ObjectIdentifier: AnyObject] = [:]
    private var signals: [SignalWatcher] = []

    enum Work {
        case job(UnownedJob)
        case closure(@Sendable () -> Void)
    }

    private struct Inbox {
        var work: [Work] = []
        var signalled = false
        /// `stop` was called: no more closures.
        var isStopped = false
        /// Tasks of `run` whose first job is on its way.
        var expected = 0
        /// The thread is ending: nor may tasks come back.
        var isEnded = false
    }

    /// Starts the thread. It lives until ``stop()``.
    public init(name: String = "loop") {
        self.name = name
        raw = .allocate(capacity: 1)
        wakeup = .allocate(capacity: 1)
        prepare = .allocate(capacity: 1)
        afterPoll = .allocate(capacity: 1)
        readBuffer = .allocate(byteCount: 64 * 1024, alignment: 16)
        // A peer that is gone is an error of the write, never a signal.
        signal(SIGPIPE, SIG_IGN)
        let code = uv_loop_init(raw)
        precondition(code == 0, "uv_loop_init: \(String(cString: uv_strerror(code)))")
        let me = Unmanaged.passUnretained(self).toOpaque()
        wakeup.initialize(to: uv_async_t())
        prepare.initialize(to: uv_prepare_t())
        afterPoll.initialize(to: uv_check_t())
        uv_async_init(raw, wakeup) { handle in EventLoop.of(handle?.pointee.data).collect() }
        uv_prepare_init(raw, prepare)
        uv_check_init(raw, afterPoll)
        wakeup.pointee.data = me
        prepare.pointee.data = me
        afterPoll.pointee.data = me
        uv_prepare_start(prepare) { handle in EventLoop.of(handle?.pointee.data).endTurn() }
        uv_check_start(afterPoll) { handle in EventLoop.of(handle?.pointee.data).endTurn() }
        startThread()
    }

    private static func of(_ data: UnsafeMutableRawPointer?) -> EventLoop {
        guard let data else { preconditionFailure("a loop handle without its loop") }
        return Unmanaged<EventLoop>.fromOpaque(data).takeUnretainedValue()
    }

    private func startThread() {
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let loop = Unmanaged<EventLoop>.fromOpaque(argument).takeRetainedValue()
                loop.thread.store(pthread_self(), ordering: .relaxed)
                uv_run(loop.raw, UV_RUN_DEFAULT)
                loop.end()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(code == 0, "pthread_create: errno \(code)")
        pthread_detach(thread)
    }

    deinit {
        // Not before: whoever holds the loop may still send its wake-up, to nobody.
        uv_loop_close(raw)
        readBuffer.deallocate()
        wakeup.deallocate()
        prepare.deallocate()
        afterPoll.deallocate()
        raw.deallocate()
    }

    // MARK: Confinement

    /// Whether the caller runs on the loop's thread.
    @inline(__always)
    public var isInLoop: Bool { pthread_self() == thread.load(ordering: .relaxed) }

    /// Stops the program with a sentence when loop-confined state is touched from elsewhere.
    @inline(__always)
    public func preconditionInLoop() {
        precondition(isInLoop, "this may only be used on its event loop")
    }

    /// The monotonic time.
    public var now: Deadline { Deadline.now() }

    /// The monotonic clock as this turn of the loop found it, in milliseconds: costs no system
    /// call. Loop only.
    @inline(__always)
    public var milliseconds: UInt64 { uv_now(raw) }

    /// The one object of its type that everything on this loop shares, made when it is first asked
    /// for. Lives as long as the loop. Loop only.
    public func shared<T: AnyObject>(_ make: () -> T) -> T {
        preconditionInLoop()
        if let known = sharedObjects[ObjectIdentifier(T.self)] {
            return unsafeDowncast(known, to: T.self)
        }
        let new = make()
        sharedObjects[ObjectIdentifier(T.self)] = new
        return new
    }

    // MARK: Work

    /// Runs `body` soon on the loop. Callable from any thread. After ``stop()`` it never runs.
    public func execute(_ body: @escaping @Sendable () -> Void) { _ = accept(.closure(body)) }

    /// As ``execute(_:)``.
    /// - Returns: false when the loop has stopped: `body` never runs.
    package func offer(_ body: @escaping @Sendable () -> Void) -> Bool { accept(.closure(body)) }

    public func enqueue(_ job: consuming ExecutorJob) { _ = accept(.job(UnownedJob(job))) }

    /// False: the loop has stopped, and the work never runs.
    private func accept(_ work: Work) -> Bool {
        if isInLoop {
            ready.append(work)
            return true
        }
        let (isOpen, mustWake) = inbox.withLock { inbox in
            if inbox.isStopped {
                guard case .job = work, !inbox.isEnded else { return (false, false) }
            }
            inbox.work.append(work)
            defer { inbox.signalled = true }
            return (true, !inbox.signalled)
        }
        if mustWake { uv_async_send(wakeup) }
        return isOpen
    }

    /// Suspends the caller until `body`, which runs on the loop, has the continuation resumed.
    /// - Throws: `LoopError` (ECANCELED) when the loop has stopped.
    func suspend<T: Sendable>(
        _ operation: @autoclosure () -> String,
        _ body: @escaping @Sendable (CheckedContinuation<T, any Error>) -> Void
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            if accept(.closure { body(continuation) }) { return }
            continuation.resume(
                throwing: LoopError.cancelled("\(operation()) on a loop that has stopped"))
        }
    }

    /// Runs `body` once at the end of this turn, after every job that is ready. Loop only.
    public func atTurnEnd(_ body: @escaping () -> Void) { turnEnd.append(body) }

    private func collect() {
        let work = inbox.withLock { inbox in
            inbox.signalled = false
            defer { inbox.work = [] }
            return inbox.work
        }
        ready.append(contentsOf: work)
    }

    /// Runs jobs and end-of-turn work until there is none. Bounded, so that tasks which feed each
    /// other for ever cannot keep the sockets from being read.
    private func endTurn() {
        var rounds = 0
        while !ready.isEmpty || !turnEnd.isEmpty {
            var batches = 0
            while !ready.isEmpty, batches < 64 {
                runReady()
                batches += 1
            }
            runTurnEnd()
            rounds += 1
            if rounds == 64, !ready.isEmpty || !turnEnd.isEmpty {
                uv_async_send(wakeup)
                return
            }
        }
    }

    /// With two arrays that change places, so that neither is copied nor allocated anew.
    private func runTurnEnd() {
        guard !turnEnd.isEmpty else { return }
        var callbacks: [() -> Void] = []
        swap(&callbacks, &turnEnd)
        swap(&turnEnd, &turnEndSpare)
        for callback in callbacks { callback() }
        callbacks.removeAll(keepingCapacity: true)
        swap(&callbacks, &turnEndSpare)
    }

    private func runReady() {
        guard !ready.isEmpty else { return }
        var batch: [Work] = []
        swap(&batch, &ready)
        swap(&ready, &readySpare)
        let executor = asUnownedTaskExecutor()
        for work in batch {
            switch work {
            case .job(let job): job.runSynchronously(on: executor)
            case .closure(let body): body()
            }
        }
        batch.removeAll(keepingCapacity: true)
        swap(&batch, &readySpare)
    }

    /// Runs `body` as a task body on this loop and returns what it returns.
    /// Cancelling the caller cancels `body`.
    /// - Throws: what `body` throws; `LoopError` (ECANCELED) when the loop has stopped.
    public func run<T: Sendable>(
        _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        let isRefused = inbox.withLock { inbox in
            if !inbox.isStopped { inbox.expected += 1 }
            return inbox.isStopped
        }
        if isRefused { throw LoopError.cancelled("run on a loop that has stopped") }
        return try await withThrowingTaskGroup(of: T.self) { group in
            group.addTask(executorPreference: self) {
                self.inbox.withLock { $0.expected -= 1 }
                return try await body()
            }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    /// Runs a plain closure on this loop and returns what it returns.
    /// - Throws: what `body` throws; `LoopError` (ECANCELED) when the loop has stopped.
    public func submit<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        if isInLoop { return try body() }
        return try await suspend("submit") { continuation in
            continuation.resume(with: Result { try body() })
        }
    }

    /// Runs `body` on libuv's thread pool: for what blocks (key derivation, files).
    /// - Throws: what `body` throws; `LoopError` (ECANCELED) when the loop has stopped.
    public func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T
    {
        try await suspend("blocking work") { [self] continuation in
            BlockingWork.queue(on: self) { continuation.resume(with: Result { try body() }) }
        }
    }

    // MARK: Signals and the end

    /// Calls `body` on the loop each time the process receives the signal. Lasts until ``stop()``.
    public func onSignal(_ number: Int32, _ body: @escaping @Sendable () -> Void) {
        execute { [self] in
            signals.append(SignalWatcher(loop: self, number: number, body))
        }
    }

    /// Closes every handle and ends the thread, once what is ready has run. Work submitted later
    /// never runs: what reports an error throws `LoopError` (ECANCELED), and a task that is still
    /// to come back to the loop does not. May be called twice, and by several at once.
    public func stop() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let work = Work.closure { [self] in
                closeHandles()
                continuation.resume()
            }
            if !accept(work) { continuation.resume() }
        }
    }

    private func closeHandles() {
        inbox.withLock { $0.isStopped = true }
        collect()
        uv_walk(raw, { handle, _ in EventLoop.closeAtStop(handle) }, nil)
    }

    private static func closeAtStop(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
        guard let handle, uv_is_closing(handle) == 0 else { return }
        if handle.pointee.type == UV_TIMER, let data = handle.pointee.data {
            return LoopTimer.loopStops(data)
        }
        uv_close(handle, nil)
    }

    /// The handles have closed. Tasks that this woke, or what the thread pool did last, still run;
    /// not for ever.
    private func end() {
        var rounds = 0
        while rounds < 64 {
            collect()
            rounds += ready.isEmpty ? 0 : 1
            endTurn()
            closeHandles()
            uv_run(raw, UV_RUN_DEFAULT)
            let isOver = inbox.withLock { inbox in
                inbox.isEnded = inbox.work.isEmpty && ready.isEmpty && inbox.expected == 0
                return inbox.isEnded
            }
            if isOver { break }
            if ready.isEmpty { sched_yield() }
        }
        inbox.withLock { $0.isEnded = true }
        // They may hold the loop, which closes its descriptors when nobody does.
        sharedObjects = [:]
        signals = []
        thread.store(0, ordering: .relaxed)
    }
}
