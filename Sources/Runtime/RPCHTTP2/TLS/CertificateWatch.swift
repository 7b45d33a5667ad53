public import Loop
public import TLS
public import Telemetry

/// Looks for changed certificate files while a listener is open; files are read off the loop.
/// `RPCServer.listen` has one. Confined to the listener's loop.
public final class CertificateWatch: @unchecked Sendable {
    private let context: TLSServerContext
    private let listener: Listener
    private let logger: Logger
    private var timer: LoopTimer?
    private var isLooking = false
    /// What was told last about files that cannot be used; nil: they can.
    private var trouble: String?

    public init(_ context: TLSServerContext, _ listener: Listener, _ logger: Logger) {
        self.context = context
        self.listener = listener
        self.logger = logger
    }

    /// Looks until the listener is closed. Any thread.
    public func start() {
        guard let interval = context.configuration.reloadInterval else { return }
        listener.loop.execute { [self] in
            timer = listener.loop.schedule(every: interval) { [self] in look() }
        }
    }

    private func look() {
        guard listener.isOpen else {
            timer?.cancel()
            timer = nil
            return
        }
        guard !isLooking else { return }
        isLooking = true
        Task.immediate(executorPreference: listener.loop) { [self] in
            defer { isLooking = false }
            do {
                let isNew = try await listener.loop.blocking { [context] in
                    try context.reloadIfChanged()
                }
                trouble = nil
                guard isNew else { return }
                logger.info(
                    "certificates reloaded", ["subject": .string(context.certificate.subject)])
            } catch {
                // Each look says the same until somebody mends it.
                guard trouble != "\(error)" else { return }
                trouble = "\(error)"
                logger.error(
                    "certificates not reloaded, the old ones stay", ["cause": .string("\(error)")])
            }
        }
    }
}
