import HTTP2
import Loop
import RPC
import Testing

@testable import RPCHTTP2

@Suite("Calls that the server has not seen are sent again", .timeLimit(.minutes(5)))
struct ReplayTests {
    private static let refusals: [@Sendable (RawServer.Request) -> Void] = [
        { $0.stream.reset(.refusedStream) },
        { $0.peer.goaway(lastStream: 0) },
    ]

    private func outcome(
        _ bytes: Int, _ refusal: Int, _ change: (inout ChannelConfiguration) -> Void = { _ in }
    ) async throws -> (error: RPCError?, sizes: [Int], kept: Int) {
        let server = try await RawServer { request in
            if request.number == 0 {
                ReplayTests.refusals[refusal](request)
            } else {
                request.answer([1])
            }
        }
        var configuration = ChannelConfiguration()
        change(&configuration)
        let channel = try HTTP2Channel(
            target: "\(server.address)", loop: EventLoop(name: "client"),
            configuration: configuration)
        let message = [UInt8](repeating: 7, count: bytes)
        let error = await failure { _ = try await channel.unary(Methods.unary, message) }
        let kept = try await channel.loop.submit { channel.core.replayBytes }
        return (error, try await server.received.map { $0.stream.body.count }, kept)
    }

    @Test(
        "up to maxReplayBytesPerCall, by REFUSED_STREAM and above GOAWAY's last stream",
        arguments: [0, 1])
    func size(_ refusal: Int) async throws {
        for bytes in [1, 100 << 10, 256 << 10] {
            let outcome = try await outcome(bytes, refusal)
            #expect(outcome.error == nil)
            #expect(outcome.sizes == [bytes + 5, bytes + 5])
            #expect(outcome.kept == 0)
        }
        let larger = try await outcome(256 << 10 + 1, refusal)
        #expect(larger.error?.code == .unavailable)
        #expect(larger.sizes.count == 1)
        #expect(larger.kept == 0)
    }

    @Test("the channel's limits hold: of one call, and of all") func limits() async throws {
        let small = try await outcome(100, 0) { $0.maxReplayBytesPerCall = 99 }
        #expect(small.error?.code == .unavailable)
        let full = try await outcome(100 << 10, 0) { $0.maxReplayBytes = 99 << 10 }
        #expect(full.error?.code == .unavailable)
        #expect(full.kept == 0)
        // Small requests of calls without a policy are not counted.
        let uncounted = try await outcome(1000, 0) { $0.maxReplayBytes = 0 }
        #expect(uncounted.error == nil)
    }

    @Test("what a call kept is free when it ends, however it ends") func freed() async throws {
        let server = try await RawServer { _ in }
        let channel = try HTTP2Channel(
            target: "\(server.address)", loop: EventLoop(name: "client"))
        let message = [UInt8](repeating: 7, count: 200 << 10)
        for number in 1...3 {
            let call = Task { try await channel.unary(Methods.unary, message) }
            _ = try await server.received(number)
            #expect(try await channel.loop.submit { channel.core.replayBytes } == message.count)
            if number < 3 { call.cancel() } else { try await server.kill() }
            _ = await call.result
            #expect(try await channel.loop.submit { channel.core.replayBytes } == 0)
        }
    }
}
