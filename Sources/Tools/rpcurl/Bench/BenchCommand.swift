import Protobuf
import RPC
import RPCHTTP2

/// `bench`: load on one method, measured.
struct BenchCommand {
    private static let maxRequests = 10_000

    private let session: Session
    private var settings: Settings { session.settings }

    init(_ session: Session) {
        self.session = session
    }

    /// - Returns: 0 when every counted call succeeded, else 1.
    func run(_ path: String, _ source: RequestSource) async throws -> Int32 {
        guard let address = session.address else { throw Failure.usage("no address") }
        let (method, pool) = try await session.source.method(path)
        let requests = try await templates(method, pool, source)
        let kind = CallCommand.kind(method)
        let descriptor = MethodDescriptor(service: method.service, name: method.name, kind: kind)
        let channels = try (0..<settings.bench.connections).map { _ in
            try Session.channel(address, settings, session.loop)
        }
        defer { for channel in channels { channel.close() } }
        let run = BenchRun(channels, descriptor, requests, settings, session.loop)
        await run.run()
        if let failure = run.failure { throw failure }
        let report = BenchReport(run.result, settings, method.routePath)
        if settings.json {
            try session.output.line(
                JSONText.layout(report.json, compact: settings.compact))
        } else {
            for line in report.lines { try session.output.line(line) }
        }
        return run.result.isClean ? 0 : 1
    }

    /// The messages that calls send in turn, or, for a client stream, one after the other.
    private func templates(
        _ method: MethodSchema, _ pool: DescriptorPool, _ source: RequestSource
    ) async throws -> [RequestTemplate] {
        let encoder = RequestEncoder(
            method: method, pool: pool, allowsUnknownFields: settings.allowUnknownFields)
        var reader = try RequestReader(
            source, format: .json, standardInput: session.standardInput, loop: session.loop)
        var templates: [RequestTemplate] = []
        while let text = try await reader.next() {
            guard templates.count < BenchCommand.maxRequests else {
                throw Failure("bench takes at most \(BenchCommand.maxRequests) request messages")
            }
            templates.append(try RequestTemplate(text, encoder))
        }
        if templates.isEmpty { templates = [try RequestTemplate(Array("{}".utf8), encoder)] }
        return templates
    }
}
