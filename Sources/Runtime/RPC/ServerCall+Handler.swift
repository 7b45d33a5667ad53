import Environment
import Loop

/// The handler, from its start to the status.
extension ServerCall {
    /// Starts the clock of the call. Returns false when the deadline has passed already; the
    /// status has gone then.
    package func startDeadline() -> Bool {
        guard let deadline = context.deadline else { return true }
        let remaining = deadline.remaining
        if remaining <= .zero {
            fail(RPCError(.deadlineExceeded, "the deadline passed before the call began"))
            return false
        }
        timer = loop.schedule(after: remaining) { [self] in
            fail(RPCError(.deadlineExceeded, "the deadline passed while the call ran"))
        }
        return true
    }

    /// Runs the handler, on the loop and without a hop: its first part runs before this returns.
    package func start() {
        let task = Task.immediate(executorPreference: loop) { [self] in
            await handle(in: TaskIdentity.current)
        }
        if !handlerEnded { adopt(task) }
    }

    /// The handler waits in this task, which is nobody else's.
    func adopt(_ task: Task<Void, Never>) {
        self.task = task
        if failure != nil { task.cancel() }
    }

    /// Runs the handler in the task that calls this.
    func handle(in task: UnsafeRawPointer?) async {
        if failure != nil { return handlerReturned(nil) }
        ownTask = task
        guard CurrentContext.begin(context) else { return await handleSlowly() }
        do {
            try await registered.body(self)
            CurrentContext.end()
            handlerReturned(nil)
        } catch {
            CurrentContext.end()
            handlerReturned(error)
        }
    }

    func handleSlowly() async {
        do {
            try await ServerContext.$current.withValue(context) {
                try await registered.body(self)
            }
            handlerReturned(nil)
        } catch {
            handlerReturned(error)
        }
    }

    func handlerReturned(_ error: (any Error)?) {
        guard loop.isInLoop else {
            loop.execute { self.handlerReturned(error) }
            return
        }
        handlerEnded = true
        task = nil
        ownTask = nil
        if !finished {
            finished = true
            timer?.cancel()
            timer = nil
            let status = error.map { registered.status(for: $0, context) }
            transport.finish(self, error: status)
            if hooks != nil { tellEnd(status) }
        }
        transport.handlerDidEnd(self)
    }
}
