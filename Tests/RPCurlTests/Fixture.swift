import BenchSchema
import Glibc
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Synchronization
import Telemetry

@testable import rpcurl

/// A server of bench.Bench, and rpcurl run against it in this process.
struct Fixture {
    enum Schema { case reflection, alphaReflection, none }

    struct Result {
        var code: Int32
        var output: String
        var notes: String
    }

    let address: String
    let cancelled: BenchMethods.Counted
    let loop: EventLoop
    private let server: RPCServer

    static func with<T>(
        _ schema: Schema = .reflection, _ body: (Fixture) async throws -> T
    ) async throws -> T {
        let loop = EventLoop(name: "server")
        let router = Router()
        let cancelled = BenchMethods.Counted()
        BenchMethods(cancelled: cancelled).register(in: router)
        let health = HealthService()
        health.set(.serving)
        health.set(.notServing, for: "bench.Bench")
        health.register(in: router)
        let reflection = ReflectionService(
            pool: DescriptorPool(BenchFiles.all), services: ["bench.Bench"])
        switch schema {
        case .reflection: reflection.register(in: router)
        case .alphaReflection:
            router.handle(ReflectionV1alpha.ServerReflectionMethods.serverReflectionInfo) { call in
                try await reflection.serverReflectionInfo(
                    RequestStream(call), call.context, ResponseWriter(call))
            }
        case .none: break
        }
        let server = RPCServer(router: router)
        let listener = try await server.listen(on: .ipv4(host: "127.0.0.1", port: 0), loop: loop)
        let fixture = Fixture(
            address: "127.0.0.1:\(listener.address.port ?? 0)", cancelled: cancelled, loop: loop,
            server: server)
        do {
            let value = try await body(fixture)
            await fixture.stop()
            return value
        } catch {
            await fixture.stop()
            throw error
        }
    }

    private func stop() async {
        _ = await server.drain(grace: .seconds(1))
        await loop.stop()
    }

    /// Runs a command line; `ADDRESS` stands for the server's.
    func run(
        _ line: String..., input: String = "", keepsInputOpen: Bool = false
    ) async throws -> Result {
        try await Fixture.run(
            line.map { $0 == "ADDRESS" ? address : $0 }, input: input,
            keepsInputOpen: keepsInputOpen)
    }

    static func run(
        _ arguments: [String], input: String = "", keepsInputOpen: Bool = false
    ) async throws -> Result {
        let loop = EventLoop(name: "rpcurl")
        let written = Mutex<(output: [UInt8], notes: [UInt8])>(([], []))
        let sink = Output { stream, bytes in
            written.withLock {
                if stream == .standard { $0.output += bytes } else { $0.notes += bytes }
            }
        }
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        write(ends[1], input, input.utf8.count)
        if !keepsInputOpen { close(ends[1]) }
        let (descriptor, writer) = (ends[0], ends[1])
        let code = try await loop.run {
            await Program.run(arguments, output: sink, standardInput: descriptor, loop: loop)
        }
        await loop.stop()
        close(descriptor)
        if keepsInputOpen { close(writer) }
        return written.withLock {
            Result(
                code: code, output: String(decoding: $0.output, as: UTF8.self),
                notes: String(decoding: $0.notes, as: UTF8.self))
        }
    }
}
