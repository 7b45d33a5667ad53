import BenchSchema
import Loop
import RPC
import RPCHTTP2
import Synchronization
import TLS
import Telemetry

/// A server on a loopback port, with or without TLS, whose log can be waited for.
struct SecureServer {
    let loop = EventLoop(name: "server")
    let server: RPCServer
    let address: SocketAddress
    let log = AwaitedLog()

    init(
        _ tls: TLSServerContext?, on address: SocketAddress = .ipv4(host: "127.0.0.1", port: 0),
        channelz: ChannelzRegistry? = nil, _ fill: (Router) -> Void = { _ in }
    ) async throws {
        let logger = Logger(label: "test", level: .info, sink: log.sink)
        let router = Router(logger: logger)
        EchoMethods().register(in: router)
        router.handle(Methods.echo) { call in try call.sendOnly(try await call.receiveOnly()) }
        router.handle(Methods.who) { call in
            _ = try await call.receiveOnly()
            let certificate = call.context.peer.certificate
            let uri = certificate?.names.first { if case .uri = $0 { true } else { false } }
            let text = "\(certificate?.subject ?? "nobody") \(uri?.description ?? "")"
            try call.sendOnly(Array(text.utf8))
        }
        router.handle(Methods.credentials) { call in
            _ = try await call.receiveOnly()
            let who = call.context.peer.unixCredentials
            let text = who.map { "\($0.processID) \($0.userID) \($0.groupID)" } ?? "nobody"
            try call.sendOnly(Array(text.utf8))
        }
        fill(router)
        var configuration = ServerConfiguration()
        configuration.channelz = channelz
        server = RPCServer(router: router, configuration: configuration, logger: logger)
        self.address = try await server.listen(on: address, loop: loop, tls: tls).address
    }

    func channel(_ tls: TLSClientContext) throws -> HTTP2Channel {
        var configuration = ChannelConfiguration()
        configuration.tls = tls
        return try HTTP2Channel(
            target: "localhost:\(address.port ?? 0)", loop: EventLoop(name: "client"),
            configuration: configuration)
    }
}

enum Methods {
    static let echo = MethodDescriptor(service: "test.T", name: "Echo", kind: .unary)
    static let credentials = MethodDescriptor(service: "test.T", name: "Unix", kind: .unary)
    static let who = MethodDescriptor(service: "test.T", name: "Who", kind: .unary)
}

struct EchoMethods: Bench.BenchService {
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
