import Environment
import Loop
import Protobuf
import RPC
import RPCHTTP2

/// `watch`: follows a server stream and begins it again when it is lost.
final class WatchCommand {
    private let session: Session
    private var recorder: CallRecorder?
    private var messages = 0
    /// Reconnects since the last message.
    private var attempts = 0

    init(_ session: Session) {
        self.session = session
    }

    private var settings: Settings { session.settings }

    /// - Returns: the exit code of the status that ended it.
    func run(_ path: String, _ requests: RequestSource) async throws -> Int32 {
        let (method, pool) = try await session.source.method(path)
        guard method.serverStreaming, !method.clientStreaming else {
            throw Failure.usage(
                "\(method.fullName) is no server stream: watch follows those; use call")
        }
        let rules = try settings.watch.resume.map { rule throws(Failure) in try rule.bind(method) }
        var request = try await self.request(method, pool, requests)
        recorder = try CallRecorder(session, method, pool)
        let end = settings.duration.map { Deadline.after($0) }
        while true {
            let outcome = try await follow(method, pool, &request, rules, end)
            try Task.checkCancellation()
            if let end, end.hasPassed { return 0 }
            switch outcome {
            case nil where settings.watch.untilEnd: return 0
            case let status?
            where !WatchCommand.isPassing(status) || session.deadline?.hasPassed == true:
                try await ErrorReport(session).note(status)
                return ErrorReport.exitCode(status)
            default: break
            }
            if let limit = settings.watch.retries, attempts >= limit {
                try session.output.note("rpcurl: gave up after \(attempts) reconnects")
                guard let status = outcome else { return 1 }
                if let failure = ConnectionAdvice.failure(status, session) { throw failure }
                try await ErrorReport(session).note(status)
                return ErrorReport.exitCode(status)
            }
            try await pause(outcome, until: end)
            if let end, end.hasPassed { return 0 }
        }
    }

    private func request(
        _ method: MethodSchema, _ pool: DescriptorPool, _ source: RequestSource
    ) async throws -> DynamicMessage {
        let encoder = RequestEncoder(
            method: method, pool: pool, format: settings.format,
            allowsUnknownFields: settings.allowUnknownFields)
        var reader = try RequestReader(
            source, format: settings.format, standardInput: session.standardInput,
            loop: session.loop)
        guard let text = try await reader.next() else { return DynamicMessage(method.input) }
        return try encoder.message(text, number: 1)
    }

    // MARK: One stream

    /// Prints a stream's messages until it ends.
    /// - Parameter request: what the next stream asks, by the rules.
    /// - Returns: the status, nil for OK.
    private func follow(
        _ method: MethodSchema, _ pool: DescriptorPool, _ request: inout DynamicMessage,
        _ rules: [ResumeRule.Bound], _ end: Deadline?
    ) async throws -> RPCError? {
        let descriptor = MethodDescriptor(
            service: method.service, name: method.name, kind: .serverStreaming)
        let deadline = [session.deadline, end].compactMap { $0 }.min()
        try await recorder?.begin(settings.callMetadata, deadline)
        var printer = MessagePrinter(session.source, pool, settings)
        let call = try await session.requireChannel().start(
            descriptor, metadata: settings.callMetadata,
            options: CallOptions(
                deadline: deadline, maxResponseBytes: settings.maxMessageBytes))
        var status: RPCError?
        do {
            try await send(request, call)
            let headers = try await call.initialMetadata()
            session.markReached()
            try await recorder?.headers(headers)
            while let bytes = try await call.receive() {
                attempts = 0
                try await print(bytes, method, &printer)
                let message = try MessagePrinter.decode(bytes, method.output)
                for rule in rules where !rule.copy(from: message, into: &request) {
                    throw Failure("a number of the message is too large for the request's field")
                }
            }
        } catch let error as RPCError {
            status = error
        } catch {
            call.cancel()
            throw error
        }
        try await recorder?.end(status, await call.trailers)
        return status
    }

    private func send(_ request: DynamicMessage, _ call: ClientCall) async throws {
        let bytes = request.encoded()
        try await recorder?.request(bytes)
        do {
            try await call.send(bytes)
            call.finish()
        } catch is RPCError {
            // The call has ended: `receive` tells how.
        }
        try await recorder?.halfClose()
    }

    private func print(
        _ bytes: [UInt8], _ method: MethodSchema, _ printer: inout MessagePrinter
    ) async throws {
        try await recorder?.response(bytes)
        messages += 1
        let text =
            settings.json
            ? try await printer.json(bytes, as: method.output)
            : try await printer.output(bytes, as: method.output)
        if settings.format == .text, messages > 1 { try session.output.line([0x1E]) }
        try session.output.line(text)
    }

    // MARK: Reconnecting

    /// Whether another attempt may end better.
    private static func isPassing(_ status: RPCError) -> Bool {
        switch status.code {
        case .unavailable, .internalError, .unknown, .aborted, .resourceExhausted,
            .deadlineExceeded, .cancelled, .dataLoss:
            true
        default: false
        }
    }

    /// Waits; the pause grows with each attempt that brings no message.
    private func pause(_ outcome: RPCError?, until end: Deadline?) async throws {
        let pause = WatchCommand.pause(
            after: attempts, settings.watch, random: Double.random(in: -0.2...0.2))
        attempts += 1
        let why = outcome.map { "\($0.code.name): \($0.cause ?? $0.message)" } ?? "the stream ended"
        try session.output.note(
            "rpcurl: \(why); reconnecting in \(CallTimings.milliseconds(pause)) ms")
        let limits = [end, session.deadline].compactMap { $0?.remaining }
        try await session.loop.sleep(for: ([pause] + limits).min() ?? pause)
    }

    /// connection-backoff.md: × 1.6 each time, ± 20 %.
    static func pause(
        after attempts: Int, _ settings: WatchSettings, random: Double
    ) -> Duration {
        var seconds = settings.backoff.secondsValue
        let limit = settings.maxBackoff.secondsValue
        for _ in 0..<min(attempts, 100) where seconds < limit { seconds *= 1.6 }
        return .microseconds(Int64(min(seconds, limit) * (1 + random) * 1e6))
    }
}
