public import Loop
public import Telemetry

/// A job that is done again and again, whatever becomes of one round: sweepers and refreshers, on
/// whose being on time nothing depends.
public struct Recurrence: Sendable {
    public let loop: EventLoop
    public let logger: Logger
    /// The time between two rounds.
    public let interval: Duration

    public init(on loop: EventLoop, every interval: Duration, logger: Logger) {
        self.loop = loop
        self.interval = interval
        self.logger = logger
    }

    /// Does rounds until cancelled. A round that fails is logged, and the next one makes up for it.
    ///
    /// - Parameters:
    ///   - complaint: what the log says of a round that fails.
    ///   - round: one round; may ask for another pause than the interval.
    /// - Throws: `CancellationError` only.
    public func run(
        _ complaint: String, afterFailure: Duration? = nil, _ round: () async throws -> Duration?
    ) async throws {
        while true {
            var pause = afterFailure
            do {
                pause = try await round()
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.warning(complaint, ["error": LogValue(describing: error)])
            }
            try await loop.sleep(for: pause ?? interval)
        }
    }
}
