import Loop
import RPC
import RPCHTTP2
import Telemetry

/// `tap` and `record`: a server that passes every call on and prints it.
struct TapCommand {
    /// A relay takes larger messages than a client: it is not the one to refuse them.
    static let maxMessageBytes = 64 << 20
    private static let queuedEvents = 256

    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

    /// Runs until it is cancelled, or for `-duration`.
    /// - Parameter file: where the calls are recorded.
    /// - Throws: `Failure` when it cannot listen or write.
    func run(_ listen: ListenAddress, file: String?) async throws {
        let loop = session.loop
        let recording = try file.map { path throws(Failure) in
            try RecordingWriter(path: path, keepsSecrets: session.settings.keepSecrets)
        }
        let limit = max(session.settings.maxMessageBytes, TapCommand.maxMessageBytes)
        let events = BoundedQueue<CallEvent>(loop: loop, capacity: TapCommand.queuedEvents)
        let relay = TapRelay(
            try session.requireChannel(), maxMessageBytes: limit, events: events)
        let quiet = Logger(label: "tap", sink: .discarding)
        let router = Router(logger: quiet)
        router.handleUnknown { call in try await relay.handle(call) }
        let server = RPCServer(
            router: router, configuration: TapCommand.configuration(limit), logger: quiet)
        let listener: Listener
        do {
            listener = try await server.listen(on: listen.address, loop: loop)
        } catch let error as LoopError {
            throw Failure("cannot listen on \(listen.address): \(error.message) (\(error.name))")
        }
        let upstream = session.address?.text ?? ""
        try session.output.note(
            "rpcurl: listening on \(listener.address), passing on to \(upstream); Ctrl-C ends")
        let time = session.settings.duration
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Ends by cancellation, unless there is a -duration.
                try? await loop.sleep(for: time ?? .seconds(1 << 30))
                _ = await server.drain(grace: .zero)
                relay.stop()
            }
            var printer = TapPrinter(session, recording)
            while let event = await events.next() { try await printer.print(event) }
        }
    }

    /// A relay judges nobody: how often a client may ping and how long it may not read is the
    /// upstream's business.
    private static func configuration(_ maxMessageBytes: Int) -> ServerConfiguration {
        var configuration = ServerConfiguration(maxMessageBytes: maxMessageBytes)
        configuration.sendStallTimeout = .seconds(1 << 20)
        configuration.minPingInterval = .zero
        configuration.permitsPingsWithoutCalls = true
        return configuration
    }
}
