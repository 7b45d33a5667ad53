import BenchSchema
import Loop
import RPC
import RPCHTTP2
import TLS
import Telemetry

/// A server on a loopback port, on a loop of its own.
struct TestServer {
    let loop = EventLoop(name: "server")
    let server: RPCServer
    let address: SocketAddress

    init(
        _ configuration: ServerConfiguration = ServerConfiguration(),
        on address: SocketAddress = .ipv4(host: "127.0.0.1", port: 0), metrics: Metrics? = nil,
        tls: TLSServerContext? = nil, _ fill: (Router) -> Void
    ) async throws {
        let quiet = Logger(label: "test", level: .error)
        let router = Router(logger: quiet)
        fill(router)
        server = RPCServer(
            router: router, configuration: configuration, logger: quiet, metrics: metrics)
        self.address = try await server.listen(on: address, loop: loop, tls: tls).address
    }

    var target: String {
        switch address {
        case .unix(let path): "unix:\(path)"
        default: "\(address)"
        }
    }

    func channel(
        _ configuration: ChannelConfiguration = ChannelConfiguration()
    ) throws -> HTTP2Channel {
        try HTTP2Channel(
            target: target, loop: EventLoop(name: "client"), configuration: configuration)
    }
}

/// Methods on plain bytes, for what a codec would hide.
enum Methods {
    static let unary = MethodDescriptor(service: "test.T", name: "Unary", kind: .unary)
    static let client = MethodDescriptor(service: "test.T", name: "Client", kind: .clientStreaming)
    static let server = MethodDescriptor(service: "test.T", name: "Server", kind: .serverStreaming)
    static let bidi = MethodDescriptor(service: "test.T", name: "Bidi", kind: .bidirectional)
}

/// `bench.Bench` as the benchmark serves it.
struct BenchMethods: Bench.BenchService {
    func echo(_ request: Bench.Msg, _ context: ServerContext) async throws -> Bench.Msg { request }

    func book(_ request: Bench.Booking, _ context: ServerContext) async throws -> Bench.Booking {
        request
    }

    func stream(
        _ request: Bench.Msg, _ context: ServerContext, _ responses: ResponseWriter<Bench.Msg>
    ) async throws {
        for _ in 0..<request.n { try await responses.write(request) }
    }

    func pingPong(
        _ requests: RequestStream<Bench.Msg>, _ context: ServerContext,
        _ responses: ResponseWriter<Bench.Msg>
    ) async throws {
        for try await request in requests { try await responses.write(request) }
    }
}

func failure(_ body: () async throws -> Void) async -> RPCError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? RPCError
    }
}
