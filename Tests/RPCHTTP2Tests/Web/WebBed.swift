import BenchSchema
import Loop
import Protobuf
import RPC
import RPCHTTP2
import TLS

/// `bench.Bench` for web clients: Book has no side effects, and what the request says decides
/// about headers, trailers and failures.
enum WebBed {
    static func server(
        _ configuration: ServerConfiguration = ServerConfiguration(), tls: TLSServerContext? = nil
    ) async throws -> TestServer {
        try await TestServer(configuration, tls: tls) { router in
            router.describe(Bench.benchFile)
            router.register(ReflectionService(pool: Bench.benchFile.pool))
            let book = MethodDescriptor(
                service: "bench.Bench", name: "Book", kind: .unary, idempotency: .noSideEffects)
            router.handle(book) { call in
                var booking = try Bench.Booking(decoding: try await call.receiveOnly())
                call.context.responseMetadata = Metadata(["x-head": "h"])
                call.context.trailingMetadata = Metadata(["x-tail": "t"])
                if booking.id == "fail" { throw failure }
                if booking.id == "gone" {
                    throw RPCError(.notFound, "gone").with(GoogleRpc.ErrorInfo("GONE", in: "b"))
                }
                if let value = call.context.metadata.first("x-note") { booking.note = value }
                if let left = call.context.remaining { booking.endUnix = left.components.seconds }
                booking.confirmed = call.context.requestIsCompressed
                try call.sendOnly(booking.encoded())
            }
            let echo = MethodDescriptor(service: "bench.Bench", name: "Echo", kind: .unary)
            router.handle(echo) { call in try call.sendOnly(try await call.receiveOnly()) }
            let stream = MethodDescriptor(
                service: "bench.Bench", name: "Stream", kind: .serverStreaming)
            router.handle(stream) { call in
                let request = try Bench.Msg(decoding: try await call.receiveOnly())
                call.context.trailingMetadata = Metadata(["x-tail": "t"])
                for _ in 0..<request.n { try await call.send(request.encoded()) }
                if request.data == Array("fail".utf8) { throw failure }
            }
            let pingPong = MethodDescriptor(
                service: "bench.Bench", name: "PingPong", kind: .bidirectional)
            router.handle(pingPong) { call in
                while let message = try await call.receive() { try await call.send(message) }
            }
            router.handle(Methods.unary) { call in try call.sendOnly(try await call.receiveOnly()) }
        }
    }

    static let failure = RPCError(
        .failedPrecondition, "tidak ada – nothing",
        details: [.init(typeURL: "type.googleapis.com/google.rpc.Thing", value: [1, 2, 3, 4])],
        metadata: Metadata(["x-error": "e"]))

    static func frame(_ flag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [flag] + (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (24 - 8 * $0)) } + bytes
    }

    static func frame(_ flag: UInt8, _ text: String) -> [UInt8] { frame(flag, Array(text.utf8)) }

    /// Splits a body of frames.
    static func frames(_ body: [UInt8]) -> [(flag: UInt8, bytes: [UInt8])] {
        var frames: [(flag: UInt8, bytes: [UInt8])] = []
        var rest = body[...]
        while rest.count >= 5 {
            let flag = rest.removeFirst()
            let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            frames.append((flag, Array(rest.dropFirst(4).prefix(count))))
            rest = rest.dropFirst(4 + count)
        }
        return frames
    }
}

extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }
}
