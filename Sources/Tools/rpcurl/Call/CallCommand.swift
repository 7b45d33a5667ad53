import Environment
import Protobuf
import RPC
import RPCHTTP2

/// `call`: one RPC of any kind. Requests are sent as they are read, responses printed as they
/// come; both go on at the same time.
final class CallCommand {
    private let session: Session
    private var timings: CallTimings
    private var headers = Metadata()
    private var messages: [JSONValue] = []
    private var count = 0
    private var recorder: CallRecorder?

    init(_ session: Session) {
        self.session = session
        timings = CallTimings(start: session.start)
    }

    private var settings: Settings { session.settings }

    /// - Returns: the exit code.
    func run(_ path: String, _ requests: RequestSource) async throws -> Int32 {
        let channel = try session.requireChannel()
        let (method, pool) = try await session.source.method(path)
        timings.mark("schema")
        let encoder = RequestEncoder(
            method: method, pool: pool, format: settings.format,
            allowsUnknownFields: settings.allowUnknownFields)
        var reader = try RequestReader(
            requests, format: settings.format, standardInput: session.standardInput,
            loop: session.loop)
        let only = method.clientStreaming ? nil : try await onlyRequest(&reader, encoder)
        let descriptor = MethodDescriptor(
            service: method.service, name: method.name, kind: CallCommand.kind(method))
        try noteRequest(descriptor)
        timings.mark("request")
        recorder = try CallRecorder(session, method, pool)
        try await recorder?.begin(settings.callMetadata, session.deadline)
        let call = try await channel.start(
            descriptor, metadata: settings.callMetadata,
            options: CallOptions(
                deadline: session.deadline, maxResponseBytes: settings.maxMessageBytes))
        let printer = MessagePrinter(session.source, pool, settings)
        let status = try await converse(call, method, printer, encoder, reader, only)
        timings.mark("end")
        if let status, let failure = ConnectionAdvice.failure(status, session) { throw failure }
        let trailers = await trailers(status, call)
        try await recorder?.end(status, trailers)
        try await report(status, trailers: trailers, method)
        return status.map(ErrorReport.exitCode) ?? 0
    }

    static func kind(_ method: MethodSchema) -> CallKind {
        switch (method.clientStreaming, method.serverStreaming) {
        case (false, false): .unary
        case (true, false): .clientStreaming
        case (false, true): .serverStreaming
        case (true, true): .bidirectional
        }
    }

    /// The request of a method that takes one; without data an empty message.
    private func onlyRequest(
        _ reader: inout RequestReader, _ encoder: RequestEncoder
    ) async throws -> [UInt8] {
        guard let text = try await reader.next() else { return [] }
        let message = try encoder.encode(text, number: 1)
        guard try await reader.next() == nil else {
            throw Failure(
                "\(encoder.method.fullName) takes one request message; several were given")
        }
        return message
    }

    // MARK: The conversation

    /// - Returns: the status, nil for OK.
    /// - Throws: `Failure` when a request or a response cannot be understood.
    private func converse(
        _ call: ClientCall, _ method: MethodSchema, _ printer: MessagePrinter,
        _ encoder: RequestEncoder, _ reader: RequestReader, _ only: [UInt8]?
    ) async throws -> RPCError? {
        let recorder = recorder
        return try await withThrowingTaskGroup(of: Failure?.self) { group in
            group.addTask { await CallCommand.send(call, encoder, reader, only, recorder) }
            var status: RPCError?
            do {
                try await receive(call, method.output, printer)
            } catch let error as RPCError {
                status = error
            } catch {
                call.cancel()
                throw error
            }
            // The answer is complete: what is still to be read from standard input is not.
            group.cancelAll()
            for try await failure in group {
                if let failure { throw failure }
            }
            return status
        }
    }

    /// Sends everything. Nil when that ended well, or when the call has ended: its status then
    /// says more than the failed write.
    private static func send(
        _ call: ClientCall, _ encoder: RequestEncoder, _ requests: RequestReader, _ only: [UInt8]?,
        _ recorder: CallRecorder?
    ) async -> Failure? {
        do {
            if let only {
                try await recorder?.request(only)
                try await call.send(only)
            } else {
                var reader = requests
                var number = 0
                while let text = try await reader.next() {
                    number += 1
                    let message = try encoder.encode(text, number: number)
                    try await recorder?.request(message)
                    try await call.send(message)
                }
            }
            try await recorder?.halfClose()
            call.finish()
            return nil
        } catch {
            guard let failure = error as? Failure else { return nil }
            call.cancel()
            return failure
        }
    }

    private func receive(
        _ call: ClientCall, _ schema: MessageSchema, _ printer: MessagePrinter
    ) async throws {
        var printer = printer
        headers = try await call.initialMetadata()
        session.markReached()
        timings.mark("headers")
        try noteFields("headers", headers)
        try await recorder?.headers(headers)
        while let bytes = try await call.receive() {
            count += 1
            timings.mark("first_message")
            try await recorder?.response(bytes)
            if settings.verbose {
                try session.output.note("< message \(count): \(bytes.count) bytes")
            }
            if settings.json {
                let json = try await printer.json(bytes, as: schema)
                messages.append(try JSONValue.parse(json, maxDepth: 200))
            } else {
                let text = try await printer.output(bytes, as: schema)
                if settings.format == .text, count > 1 { try session.output.line([0x1E]) }
                try session.output.line(text)
            }
        }
    }

    // MARK: What is told

    private func trailers(_ status: RPCError?, _ call: ClientCall) async -> Metadata {
        let trailers = await call.trailers
        return trailers.isEmpty ? status?.metadata ?? trailers : trailers
    }

    private func noteRequest(_ method: MethodDescriptor) throws {
        guard settings.verbose, !settings.json else { return }
        try session.output.note("> \(method.path) (\(method.kind)) \(session.address?.text ?? "")")
        for line in MetadataText.lines(settings.callMetadata) {
            try session.output.note("> \(line)")
        }
    }

    private func noteFields(_ name: String, _ metadata: Metadata) throws {
        guard settings.verbose, !settings.json else { return }
        try session.output.note("< \(name)\(metadata.isEmpty ? ": none" : "")")
        for line in MetadataText.lines(metadata) { try session.output.note("<   \(line)") }
    }

    private func report(
        _ status: RPCError?, trailers: Metadata, _ method: MethodSchema
    ) async throws {
        let errors = ErrorReport(session)
        if settings.json {
            let object: JSONValue = [
                "method": .string(method.routePath), "status": await errors.json(status),
                "headers": MetadataText.json(headers), "messages": .array(messages),
                "trailers": MetadataText.json(trailers), "timings": timings.json,
            ]
            return try session.output.line(JSONText.layout(object, compact: settings.compact))
        }
        try noteFields("trailers", trailers)
        if settings.verbose {
            try session.output.note("< status: \(status?.code.name ?? "OK")")
            if settings.veryVerbose {
                for line in timings.lines { try session.output.note("timing \(line)") }
            } else {
                try session.output.note("timings: \(timings.text)")
            }
        }
        if let status { try await errors.note(status) }
    }
}
