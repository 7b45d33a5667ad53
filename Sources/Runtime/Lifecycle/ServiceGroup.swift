import Environment
public import Loop
import Synchronization
public import Telemetry

/// Owns the tasks of a process: starts services in order, stops them in reverse order.
///
/// The only place, besides a call's handler, where tasks are made.
public final class ServiceGroup: Sendable {
    private struct Member {
        let name: String
        let service: any Service
    }

    private let members: [Member]
    private let loop: EventLoop
    private let logger: Logger
    private let grace: Duration

    /// - Parameter grace: how long one service may take to drain before it is left behind.
    public init(
        _ services: [(name: String, service: any Service)], loop: EventLoop, logger: Logger,
        grace: Duration = .seconds(10)
    ) {
        members = services.map { Member(name: $0.name, service: $0.service) }
        self.loop = loop
        self.logger = logger
        self.grace = grace
    }

    /// Runs until the task is cancelled or a service fails, then stops everything.
    /// - Throws: the error of the service that failed first.
    public func run() async throws {
        let ended = FirstEnd()
        let tasks = members.map { member in start(member, ended) }
        let failure = await withTaskCancellationHandler {
            await ended.wait()
        } onCancel: {
            ended.tell(nil)
        }
        for (member, task) in zip(members, tasks).reversed() {
            task.cancel()
            if await !finishes(task) {
                logger.warning("a service did not drain in time", ["service": .string(member.name)])
            }
        }
        if let failure { throw failure }
    }

    private func start(_ member: Member, _ ended: FirstEnd) -> Task<Void, Never> {
        Task(name: member.name, executorPreference: loop) { [logger] in
            do {
                try await member.service.run()
                if !Task.isCancelled { ended.tell(nil) }
            } catch is CancellationError {
            } catch {
                logger.error(
                    "a service failed",
                    ["service": .string(member.name), "error": LogValue(describing: error)])
                ended.tell(error)
            }
        }
    }

    /// Waits for a task, but not longer than `grace`: a task that ignores its cancellation must
    /// not keep the others from stopping.
    private func finishes(_ task: Task<Void, Never>) async -> Bool {
        let ended = FirstEnd()
        let waiter = Task(executorPreference: loop) {
            await task.value
            ended.tell(nil)
        }
        let timer = Task(executorPreference: loop) { [loop, grace] in
            try await loop.sleep(for: grace)
            ended.tell(Overdue())
        }
        let inTime = await ended.wait() == nil
        timer.cancel()
        waiter.cancel()
        return inTime
    }

    private struct Overdue: Error {}
}

/// The first reason to stop, told once.
private final class FirstEnd: Sendable {
    private struct State {
        var ended = false
        var failure: (any Error)?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    func tell(_ failure: (any Error)?) {
        let waiter = state.withLock { state in
            guard !state.ended else { return nil as CheckedContinuation<Void, Never>? }
            state.ended = true
            state.failure = failure
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func wait() async -> (any Error)? {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state in
                if !state.ended { state.waiter = continuation }
                return state.ended
            }
            if ended { continuation.resume() }
        }
        return state.withLock { $0.failure }
    }
}
