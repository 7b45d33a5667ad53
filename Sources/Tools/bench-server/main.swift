import BenchSchema
import Glibc
import Loop
import Protobuf
import RPC
import RPCHTTP2
import TLS
import Telemetry

// Serves bench.Bench for shared/bench. Synchronous `main`: valgrind cannot run an async one.
// usage: bench-server --port N [--loops 1] [--certificate FILE --key FILE]

struct BenchMethods: Bench.BenchService {
    func echo(_ request: Bench.Msg, _ context: ServerContext) async throws -> Bench.Msg {
        var answer = Bench.Msg()
        answer.data = request.data
        return answer
    }

    func book(_ request: Bench.Booking, _ context: ServerContext) async throws -> Bench.Booking {
        var answer = Bench.Booking()
        answer.id = request.id
        answer.customerId = request.customerId
        answer.resourceId = request.resourceId
        answer.startUnix = request.startUnix
        answer.endUnix = request.endUnix
        answer.status = request.status
        answer.lines = request.lines
        answer.labels = request.labels
        answer.price = request.price
        answer.note = request.note
        answer.confirmed = request.confirmed
        return answer
    }

    func stream(
        _ request: Bench.Msg, _ context: ServerContext, _ responses: ResponseWriter<Bench.Msg>
    ) async throws {
        var message = Bench.Msg()
        message.data = request.data
        for _ in 0..<max(0, request.n) { try await responses.write(message) }
    }

    func pingPong(
        _ requests: RequestStream<Bench.Msg>, _ context: ServerContext,
        _ responses: ResponseWriter<Bench.Msg>
    ) async throws {
        // `for await` makes the runtime look up the task's executor twice per message.
        var messages = requests.makeAsyncIterator()
        while let request = try await messages.next() {
            var answer = Bench.Msg()
            answer.data = request.data
            try await responses.write(answer)
        }
    }
}

func argument(_ name: String) -> String? {
    guard let index = CommandLine.arguments.firstIndex(of: name),
        index + 1 < CommandLine.arguments.count
    else { return nil }
    return CommandLine.arguments[index + 1]
}

/// TLS when a certificate and its key are named.
func secure() throws -> TLSServerContext? {
    guard let certificate = argument("--certificate"), let key = argument("--key") else {
        return nil
    }
    return try TLSServerContext(
        TLSServerConfiguration(identities: [
            TLSIdentity(certificateFile: certificate, keyFile: key)
        ]))
}

let logger = Logger(label: "bench-server")
guard let port = argument("--port").flatMap({ UInt16($0) }) else {
    logger.error("usage: bench-server --port N [--loops 1] [--certificate FILE --key FILE]")
    exit(2)
}
let loops = (0..<max(1, argument("--loops").flatMap { Int($0) } ?? 1)).map {
    EventLoop(name: "bench-\($0)")
}
let router = Router()
router.register(BenchMethods())
let health = HealthService()
for service in router.services { health.set(.serving, for: service) }
router.register(health)
router.register(
    ReflectionService(
        pool: DescriptorPool(BenchFiles.all + RPCFiles.all + WellKnownFiles.all),
        services: router.services))
let server = RPCServer(router: router, logger: logger)
let context = try secure()
for loop in loops {
    Task.detached {
        do {
            try await server.listen(
                on: .ipv4(host: "127.0.0.1", port: port), loop: loop,
                reusePort: loops.count > 1, tls: context)
        } catch {
            logger.error("cannot listen", ["error": .string("\(error)")])
            exit(1)
        }
    }
    loop.onSignal(SIGTERM) { exit(0) }
}
while true { pause() }
