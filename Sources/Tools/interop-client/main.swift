import Compression
import Glibc
import Interop
import Loop
import RPC
import RPCHTTP2
import TLS
import Telemetry

let help = """
    interop-client: gRPC's official interop test client.

    usage: interop-client --server_port N --test_case NAME[,NAME…]|all [flags]

      --server_host HOST            127.0.0.1 by default
      --server_host_override HOST   what to put into :authority (and what TLS checks)
      --use_tls BOOLEAN             TLS with ALPN; certificates are always checked
      --use_test_ca BOOLEAN         trust --ca_file instead of the system's authorities
      --ca_file FILE                the authority's certificate (PEM)
      --test_case NAME              \(InteropCase.allCases.map(\.rawValue).joined(separator: ",\n                                    "))

    Prints `ok NAME` or `FAILED NAME: why` for each case.
    exit code: 0; 1 a case failed; 2 wrong command line.
    """
let logger = Logger(label: "interop-client")
let known: Set<String> = [
    "server_host", "server_port", "server_host_override", "test_case", "use_tls", "use_test_ca",
    "ca_file",
]

func context(_ flags: InteropFlags) throws -> TLSClientContext? {
    guard try flags.bool("use_tls") else { return nil }
    var configuration = TLSClientConfiguration(serverName: flags.text("server_host_override"))
    if try flags.bool("use_test_ca") {
        guard let file = flags.text("ca_file") else {
            throw InteropFlags.Usage("--use_test_ca needs --ca_file")
        }
        configuration.trust = .authorities(.file(file))
    }
    return try TLSClientContext(configuration)
}

func cases(_ text: String?) throws -> [InteropCase] {
    guard let text else { throw InteropFlags.Usage("--test_case is missing") }
    if text == "all" { return InteropCase.allCases }
    return try text.split(separator: ",").map {
        guard let name = InteropCase(rawValue: String($0)) else {
            throw InteropFlags.Usage("no test case \($0)")
        }
        return name
    }
}

func run(_ arguments: [String]) async throws -> Int32 {
    let flags = try InteropFlags(arguments, known: known)
    if flags.wantsHelp {
        print(help)
        return 0
    }
    let names = try cases(flags.text("test_case"))
    let host = flags.text("server_host") ?? "127.0.0.1"
    let target = "\(host.contains(":") ? "[\(host)]" : host):\(try flags.port("server_port"))"
    var configuration = ChannelConfiguration()
    configuration.authority = flags.text("server_host_override")
    configuration.compression.accepted = .all
    configuration.tls = try context(flags)
    let channel = try HTTP2Channel(
        target: target, loop: EventLoop(name: "interop-client"), configuration: configuration)
    let client = InteropClient(channel)
    var code: Int32 = 0
    for name in names {
        do {
            try await client.run(name)
            print("ok \(name.rawValue)")
        } catch {
            print("FAILED \(name.rawValue): \(error)")
            code = 1
        }
    }
    return code
}

do {
    exit(try await run(Array(CommandLine.arguments.dropFirst())))
} catch let usage as InteropFlags.Usage {
    logger.error("\(usage); see --help")
    exit(2)
} catch {
    logger.error("\(error)")
    exit(1)
}
