package import Loop

/// Runs the handlers of one loop. Calls that arrive together share a task as long as their handlers
/// do not wait: making and ending a task costs as much as a small handler. A handler that waits
/// keeps its task to itself from then on, and the calls behind it get another one.
///
///     run(call) -> (16 calls, or the end of the turn) -> drain -> Task: handler, handler, …
package final class HandlerRunner: @unchecked Sendable {  // confined to `loop`
    /// More would leave the caches before their handlers run.
    private static let batch = 16

    private let loop: EventLoop
    @exclusivity(unchecked) private var waiting: [ServerCall] = []
    @exclusivity(unchecked) private var taken = 0
    @exclusivity(unchecked) private var isScheduled = false
    /// The call whose handler began in the task that `drain` has just started.
    @exclusivity(unchecked) private var current: ServerCall?
    /// Only the task with this number may take another call.
    @exclusivity(unchecked) private var turn = 0

    package init(_ loop: EventLoop) {
        self.loop = loop
    }

    /// Runs the call's handler, before this turn of the loop ends.
    package func run(_ call: ServerCall) {
        waiting.append(call)
        if waiting.count >= HandlerRunner.batch {
            drain()
        } else if !isScheduled {
            isScheduled = true
            loop.execute { [self] in
                isScheduled = false
                drain()
            }
        }
    }

    private func next() -> ServerCall? {
        guard taken < waiting.count else { return nil }
        let call = waiting[taken]
        taken &+= 1
        if taken == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            taken = 0
        }
        return call
    }

    private func drain() {
        while let call = next() {
            turn &+= 1
            let turn = turn
            let task = Task.immediate(executorPreference: loop) { [self] in
                await serve(call, turn)
            }
            // The handler waits: from now on the task is that call's alone.
            self.turn &+= 1
            current?.adopt(task)
            current = nil
        }
    }

    private func serve(_ first: ServerCall, _ turn: Int) async {
        let identity = TaskIdentity.current
        var call = first
        while true {
            current = call
            await call.handle(in: identity)
            guard turn == self.turn else { return }
            current = nil
            guard let following = next() else { return }
            call = following
        }
    }
}
