import Glibc
import Interop
import InteropSchema
import Loop
import RPC
import RPCHTTP2
import TLS
import Telemetry

let help = """
    interop-server: gRPC's official interop test server (grpc.testing.TestService).

    usage: interop-server --port N [flags]

      --port N             where to listen on 127.0.0.1; 0 takes a free one
      --host ADDRESS       another numeric address to listen on
      --use_tls BOOLEAN    TLS with ALPN, for *.test.google.fr unless the next two are given; the
                           log names the authority's file then
      --cert_file FILE     the certificate (PEM)
      --key_file FILE      its key

    Says `listening` on standard error, with the address. SIGTERM drains and ends it.
    exit code: 0; 1 cannot listen; 2 wrong command line.
    """
let logger = Logger(label: "interop-server")
let known: Set<String> = ["port", "host", "use_tls", "cert_file", "key_file"]

func context(_ flags: InteropFlags, on loop: EventLoop) async throws -> TLSServerContext? {
    guard try flags.bool("use_tls") else { return nil }
    let identity: TLSIdentity
    switch (flags.text("cert_file"), flags.text("key_file")) {
    case (let certificate?, let key?):
        identity = TLSIdentity(certificateFile: certificate, keyFile: key)
    case (nil, nil):
        let certificate = try await TestCertificate(on: loop)
        logger.info("made a certificate", ["authority": .string(certificate.authority)])
        identity = certificate.identity
    default: throw InteropFlags.Usage("--cert_file and --key_file need each other")
    }
    return try TLSServerContext(TLSServerConfiguration(identities: [identity]))
}

func serve(_ arguments: [String], on loop: EventLoop) async throws {
    let flags = try InteropFlags(arguments, known: known)
    if flags.wantsHelp {
        print(help)
        exit(0)
    }
    let host = flags.text("host") ?? "127.0.0.1"
    guard let address = SocketAddress(host: host, port: try flags.port("port")) else {
        throw InteropFlags.Usage("--host \(host) is no numeric address")
    }
    let router = Router(logger: logger)
    InteropService(loop: loop).register(in: router)
    let registry = ChannelzRegistry()
    router.register(ChannelzService(registry))
    var configuration = ServerConfiguration()
    configuration.channelz = registry
    let server = RPCServer(router: router, configuration: configuration, logger: logger)
    let listener = try await server.listen(
        on: address, loop: loop, tls: try await context(flags, on: loop))
    logger.info("listening", ["address": .string("\(listener.address)")])
    loop.onSignal(SIGTERM) {
        Task {
            _ = await server.drain(grace: .seconds(2))
            exit(0)
        }
    }
    while true { try await loop.sleep(for: .seconds(3600)) }
}

do {
    let loop = EventLoop(name: "interop-server")
    try await serve(Array(CommandLine.arguments.dropFirst()), on: loop)
} catch let usage as InteropFlags.Usage {
    logger.error("\(usage); see --help")
    exit(2)
} catch {
    logger.error("cannot serve", ["error": .string("\(error)")])
    exit(1)
}
