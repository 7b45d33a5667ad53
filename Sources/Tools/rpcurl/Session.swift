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
        _ invocation: Invocation, output: Output, standardInput: Int32, loop: EventLoop
    ) async throws {
        let settings = invocation.settings
        let reached = Reached()
        self.reached = reached
        self.settings = settings
        self.output = output
        self.loop = loop
        self.standardInput = standardInput
        address = invocation.address
        deadline = settings.maxTime.map { .after($0) }
        var configuration = ChannelConfiguration()
        configuration.connectTimeout = settings.connectTimeout
        configuration.maxMessageBytes = settings.maxMessageBytes
        configuration.userAgent = settings.userAgent
        configuration.authority = settings.authority
        channel = try invocation.address.map {
            try HTTP2Channel(target: $0.target, loop: loop, configuration: configuration)
        }
        if settings.descriptorSets.isEmpty, let channel {
            source = ReflectionSource(
                ReflectionClient(
                    channel, metadata: settings.reflectionMetadata, deadline: deadline,
                    onAnswer: { reached.flag = true }))
        } else {
            var sets: [(name: String, bytes: [UInt8])] = []
            for path in settings.descriptorSets {
                sets.append((path, try await InputFile.contents(of: path, on: loop)))
            }
            source = try DescriptorSetSource(sets: sets)
        }
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
