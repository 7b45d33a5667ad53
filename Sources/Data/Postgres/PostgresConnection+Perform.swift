import Environment
import Loop

extension PostgresConnection {
    /// Runs an exchange from any task. With `isCancellable`, cancelling the task cancels the
    /// statement on the server.
    func perform(_ exchange: Exchange, isCancellable: Bool = true) async -> Exchange.Answer {
        guard isCancellable else { return await answer(of: exchange) }
        return await withTaskCancellationHandler {
            await answer(of: exchange)
        } onCancel: {
            loop.execute { self.abandon(exchange, .cancelled) }
        }
    }

    private func answer(of exchange: Exchange) async -> Exchange.Answer {
        await withCheckedContinuation { continuation in
            loop.onLoop {
                exchange.onAnswer { continuation.resume(returning: $0) }
                self.start(exchange)
            }
        }
    }
}

extension EventLoop {
    /// Runs `body` now when the caller is on the loop already, soon otherwise.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if isInLoop { body() } else { execute(body) }
    }

    /// Runs what blocks on the loop's thread pool, then `then` on the loop. For timer and socket
    /// callbacks, which belong to no task; the work must outlive the caller that caused it.
    func offload<T: Sendable>(
        _ work: @escaping @Sendable () -> T, then: @escaping @Sendable (T) -> Void
    ) {
        Task(executorPreference: self) {
            guard let value = try? await self.blocking(work) else { return }
            self.onLoop { then(value) }
        }
    }
}
