import HTTP2
import Loop
import RPC
import RPCHTTP2
import TestKit
import Testing

/// A header block beyond what the other side takes: the call gets a clear error, at once.
@Suite("Header blocks that are too large to be sent or taken", .timeLimit(.minutes(3)))
struct LargeHeadersTests {
    private static func text(_ bytes: Int) -> String { String(repeating: "x", count: bytes) }

    /// What the caller asks for is what the handler puts into its headers.
    private func server() async throws -> TestServer {
        try await TestServer { router in
            router.handle(Methods.unary) { call in
                let context = call.context
                let large = Self.text(Int(context.metadata.first("x-bytes") ?? "") ?? 0)
                let message = try await call.receiveOnly()
                switch context.metadata.first("x-where") {
                case "details":
                    let details = RPCError.Detail(typeURL: "t/x", value: Array(large.utf8))
                    throw RPCError(.aborted, "too late", details: [details])
                case "headers": context.responseMetadata = Metadata(["x-large": large])
                case "trailers": context.trailingMetadata = Metadata(["x-large": large])
                default: break
                }
                try call.sendOnly(message)
            }
        }
    }

    private func call(
        _ channel: HTTP2Channel, _ place: String, _ bytes: Int
    ) async -> RPCError? {
        let metadata = Metadata(["x-where": place, "x-bytes": "\(bytes)"])
        return await failure {
            _ = try await channel.unary(
                Methods.unary, [7], metadata: metadata, options: .timeout(.seconds(60)))
        }
    }

    // 20 kB are more than the client announces, 100 kB more than the library sends.
    @Test("a status whose details do not fit comes without them", arguments: [20_000, 100_000])
    func details(bytes: Int) async throws {
        let channel = try await server().channel()
        let error = await call(channel, "details", bytes)
        #expect(error?.code == .aborted)
        #expect(error?.message.hasPrefix("too late (its details") == true)
        #expect(error?.details.isEmpty == true)
        #expect(await call(channel, "details", 8000)?.details.first?.value.count == 8000)
        #expect(await call(channel, "", 0) == nil, "the connection is as good as before")
    }

    @Test(
        "metadata of a response that does not fit fails the call",
        arguments: ["headers", "trailers"], [20_000, 100_000])
    func metadata(place: String, bytes: Int) async throws {
        let channel = try await server().channel()
        let error = await call(channel, place, bytes)
        #expect(error?.code == .resourceExhausted)
        #expect(error?.message.contains("the response's metadata") == true)
        #expect(await call(channel, place, 8000) == nil)
    }

    @Test("metadata of a request that does not fit is not sent", arguments: [20_000, 100_000])
    func request(bytes: Int) async throws {
        let channel = try await server().channel()
        let error = await failure {
            _ = try await channel.unary(
                Methods.unary, [7], metadata: Metadata(["x-large": Self.text(bytes)]),
                options: .timeout(.seconds(60)))
        }
        #expect(error?.code == .resourceExhausted)
        #expect(error?.blame == .caller)
        #expect(error?.message.contains("the request headers are \(bytes / 1000)") == true)
        #expect(await call(channel, "", 0) == nil)
    }

    @Test("a response beyond all measure is told from one that the server reset")
    func beyond() async throws {
        let server = try await RawServer { request in
            let fields = [("x-large", Self.text(request.number == 0 ? 40_000 : 10))]
            request.answer(nil, status: 9, fields: fields)
        }
        var configuration = ChannelConfiguration()
        configuration.http2.maxHeaderListBytes = 4096
        let channel = try HTTP2Channel(
            target: "\(server.address)", loop: EventLoop(name: "client"),
            configuration: configuration)
        let error = await call(channel, "", 0)
        #expect(error?.code == .resourceExhausted)
        #expect(error?.message == "the response headers are too large")
        #expect(await call(channel, "", 0)?.code == .failedPrecondition)
    }
}
