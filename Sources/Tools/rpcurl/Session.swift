import Compression
import Environment
import Glibc
import Loop
import RPC
import RPCHTTP2

/// What a command works with. Used by the command's task only.
final class Session {
    let settings: Settings
    let output: Output
    let loop: EventLoop
    let environment: [String: String]
    /// The descriptor that `@` reads.
    let standardInput: Int32
    let address: Address?
    let channel: HTTP2Channel?
    /// Of the whole command, by `-max-time`.
    let deadline: Deadline?
    /// When the command began.
    let start = Deadline.now()
    let source: any SchemaSource
    /// The server has answered something: a connection that is lost later worked before.
    private let reached: Reached

    private final class Reached { var flag = false }

    /// - Throws: `Failure` when a descriptor set cannot be used.
    init(
        _ invocation: Invocation, output: Output, standardInput: Int32,
        environment: [String: String], loop: EventLoop
    ) async throws {
        var settings = invocation.settings
        settings.tls.keyLogFile = environment["SSLKEYLOGFILE"]
        let reached = Reached()
        self.reached = reached
        self.settings = settings
        self.output = output
        self.loop = loop
        self.environment = environment
        self.standardInput = standardInput
        address = invocation.address
        deadline = settings.maxTime.map { .after($0) }
        channel = try invocation.address.map { try Session.channel($0, settings, loop) }
        let deadline = deadline
        let server = channel.map { channel in
            ReflectionSource(
                ReflectionClient(
                    channel, metadata: settings.reflectionMetadata, deadline: deadline,
                    onAnswer: { reached.flag = true }))
        }
        let files = try await Session.files(settings, environment, loop)
        switch (files, server) {
        case (let files?, let server?) where settings.useReflection:
            source = CombinedSource(files: files, server: server)
        case (let files?, _): source = files
        case (nil, let server?): source = server
        case (nil, nil): throw Failure.usage("no address: rpcurl ADDRESS …")
        }
    }

    /// A connection, made when the first call needs it.
    static func channel(
        _ address: Address, _ settings: Settings, _ loop: EventLoop
    ) throws -> HTTP2Channel {
        var configuration = ChannelConfiguration()
        configuration.connectTimeout = settings.connectTimeout
        configuration.keepaliveTime = settings.keepaliveTime
        configuration.maxMessageBytes = settings.maxMessageBytes
        configuration.userAgent = settings.userAgent
        configuration.authority = settings.authority
        configuration.tls = try settings.tls.context(for: address)
        configuration.compression = CompressionPolicy(
            algorithm: settings.compression, minimumBytes: 0, accepted: .all)
        // As many connections as the flags say.
        configuration.maxConnectionsPerAddress = 1
        return try HTTP2Channel(target: address.target, loop: loop, configuration: configuration)
    }

    /// The schema of -protoset and -proto; nil without any.
    private static func files(
        _ settings: Settings, _ environment: [String: String], _ loop: EventLoop
    ) async throws -> DescriptorSetSource? {
        guard settings.hasSchemaFiles else { return nil }
        var sets: [(name: String, bytes: [UInt8])] = []
        for path in settings.descriptorSets.values {
            sets.append((path, try await InputFile.contents(of: path, on: loop)))
        }
        let protos = settings.protoFiles.values
        if !protos.isEmpty {
            let bytes = try await Protoc(loop: loop, environment: environment).descriptorSet(
                of: protos, importPaths: settings.importPaths.values)
            sets.append((protos.joined(separator: ", "), bytes))
        }
        return try DescriptorSetSource(sets: sets)
    }

    var wasReached: Bool { reached.flag }
    func markReached() { reached.flag = true }

    /// The channel of a command that needs a server.
    func requireChannel() throws(Failure) -> HTTP2Channel {
        guard let channel else { throw .usage("no address: rpcurl ADDRESS …") }
        return channel
    }

    /// Says goodbye to the server; returns when resets and GOAWAY have been written.
    func close() async {
        channel?.close()
        _ = try? await loop.submit {}
    }
}
