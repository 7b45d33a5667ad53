import BenchSchema
import Glibc
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Synchronization
import TLS
import Telemetry
import Testing

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
    let echoes: BenchMethods.Counted
    let chats: BenchMethods.Counted
    let cancelled: BenchMethods.Counted
    let loop: EventLoop
    private let server: RPCServer

    static func with<T>(
        _ schema: Schema = .reflection, stream: BenchMethods.Stream? = nil,
        configuration: ServerConfiguration = ServerConfiguration(),
        tls: TLSServerContext? = nil, channelz: ChannelzRegistry? = nil,
        _ body: (Fixture) async throws -> T
    ) async throws -> T {
        let loop = EventLoop(name: "server")
        let router = Router()
        let methods = BenchMethods(onStream: stream)
        methods.register(in: router)
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
        if let channelz { router.register(ChannelzService(channelz)) }
        var configuration = configuration
        configuration.channelz = channelz
        let server = RPCServer(router: router, configuration: configuration)
        let listener = try await server.listen(
            on: .ipv4(host: "127.0.0.1", port: 0), loop: loop, tls: tls)
        let fixture = Fixture(
            address: "127.0.0.1:\(listener.address.port ?? 0)", echoes: methods.echoes,
            chats: methods.chats, cancelled: methods.cancelled, loop: loop, server: server)
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
        _ arguments: [String], input: String = "", keepsInputOpen: Bool = false,
        environment: [String: String] = [:]
    ) async throws -> Result {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        write(ends[1], input, input.utf8.count)
        if !keepsInputOpen { close(ends[1]) }
        let running = Running(arguments, standardInput: ends[0], environment: environment)
        let result = await running.result()
        close(ends[0])
        if keepsInputOpen { close(ends[1]) }
        return result
    }

    /// Starts a command that runs until it is cancelled; `ADDRESS` stands for the server's.
    func start(_ line: String...) -> Running {
        Running(line.map { $0 == "ADDRESS" ? address : $0 }, standardInput: 0, environment: [:])
    }

    /// A file of its own, removed afterwards.
    static func withFile<T>(
        _ bytes: [UInt8] = [], _ body: (String) async throws -> T
    ) async throws -> T {
        var template = Array("/tmp/rpcurl-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        let path = String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self)
        defer { unlink(path) }
        return try await body(path)
    }
}

/// rpcurl, running in this process.
final class Running: Sendable {
    private struct Written {
        var output: [UInt8] = []
        var notes: [UInt8] = []
        var waiting: [(text: String, continuation: CheckedContinuation<Void, Never>)] = []

        func holds(_ text: String) -> Bool {
            String(decoding: output, as: UTF8.self).contains(text)
                || String(decoding: notes, as: UTF8.self).contains(text)
        }
    }

    private let written: Mutex<Written>
    private let loop: EventLoop
    private let task: Task<Int32, Never>

    init(_ arguments: [String], standardInput: Int32, environment: [String: String]) {
        let loop = EventLoop(name: "rpcurl")
        self.loop = loop
        written = Mutex(Written())
        let writer = Writer()
        let output = Output { stream, bytes in writer.write(stream, bytes) }
        task = Task(executorPreference: loop) {
            await Program.run(
                arguments, output: output, standardInput: standardInput,
                environment: environment, loop: loop)
        }
        writer.running.withLock { $0 = self }
        writer.flush()
    }

    /// Keeps what is written before `Running` is complete.
    private final class Writer: Sendable {
        let running = Mutex<Running?>(nil)
        private let early = Mutex<[(Output.Stream, [UInt8])]>([])

        func write(_ stream: Output.Stream, _ bytes: [UInt8]) {
            early.withLock { $0.append((stream, bytes)) }
            flush()
        }

        func flush() {
            guard let running = running.withLock({ $0 }) else { return }
            early.withLock { early in
                for (stream, bytes) in early { running.take(stream, bytes) }
                early = []
            }
        }
    }

    private func take(_ stream: Output.Stream, _ bytes: [UInt8]) {
        let ready = written.withLock { written in
            if stream == .standard { written.output += bytes } else { written.notes += bytes }
            let waiting = written.waiting
            let ready = waiting.filter { written.holds($0.text) }
            written.waiting = waiting.filter { !written.holds($0.text) }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Returns once the text has been written anywhere.
    func wait(for text: String) async {
        await withCheckedContinuation { continuation in
            let isThere = written.withLock { written in
                if written.holds(text) { return true }
                written.waiting.append((text, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// Where `tap` listens.
    func tapAddress() async -> String {
        await wait(for: ", passing on")
        let notes = written.withLock { String(decoding: $0.notes, as: UTF8.self) }
        return notes.split(separator: " ").first { $0.hasPrefix("127.0.0.1:") }
            .map { String($0.dropLast()) } ?? "?"
    }

    /// As Ctrl-C does.
    func interrupt() { task.cancel() }

    func result() async -> Fixture.Result {
        let code = await task.value
        await loop.stop()
        return written.withLock {
            Fixture.Result(
                code: code, output: String(decoding: $0.output, as: UTF8.self),
                notes: String(decoding: $0.notes, as: UTF8.self))
        }
    }
}
