import Loop
import TLS
import Telemetry

/// Looks for changed certificate files while a listener is open; files are read off the loop.
/// Confined to the listener's loop.
final class CertificateWatch: @unchecked Sendable {
    private let context: TLSServerContext
    private let listener: Listener
    private let logger: Logger
    private var timer: LoopTimer?
    private var isLooking = false

    init(_ context: TLSServerContext, _ listener: Listener, _ logger: Logger) {
        self.context = context
        self.listener = listener
        self.logger = logger
    }

    /// The timer keeps the watch alive.
    func start() {
        guard let interval = context.configuration.reloadInterval else { return }
        timer = listener.loop.schedule(every: interval) { [self] in look() }
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
                guard isNew else { return }
                logger.info(
                    "certificates reloaded", ["subject": .string(context.certificate.subject)])
            } catch {
                logger.error(
                    "certificates not reloaded, the old ones stay", ["cause": .string("\(error)")])
            }
        }
    }
}
