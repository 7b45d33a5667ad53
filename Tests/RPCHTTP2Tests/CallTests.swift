import BenchSchema
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("gRPC over HTTP/2: calls over loopback", .timeLimit(.minutes(5)))
struct CallTests {
    @Test("all four kinds with generated stubs, 1 byte to 3 MB")
    func fourKinds() async throws {
        let server = try await TestServer { BenchMethods().register(in: $0) }
        let client = Bench.BenchClient(try server.channel())
        for size in [0, 1, 16_379, 16_384, 100_000, 3_000_000] {
            var message = Bench.Msg()
            message.data = [UInt8](repeating: 7, count: size)
            #expect(try await client.echo(message) == message)
        }
        var request = Bench.Msg()
        request.data = [UInt8](repeating: 1, count: 1000)
        request.n = 5000
        var count = 0
        for try await message in try await client.stream(request) {
            #expect(message.data.count == 1000)
            count += 1
        }
        #expect(count == 5000)
        let call = try await client.pingPong()
        var answers = call.responses.makeAsyncIterator()
        for number in Int32(0)..<100 {
            var message = Bench.Msg()
            message.n = number
            try await call.send(message)
            #expect(try await answers.next()?.n == number)
        }
        call.finish()
        #expect(try await answers.next() == nil)
    }

    @Test("client streaming sums up, many calls at once on one connection")
    func clientStreaming() async throws {
        let server = try await TestServer { router in
            router.handle(Methods.client) { call in
                var sum = 0
                while let message = try await call.receive() { sum += message.count }
                try call.sendOnly(Array("\(sum)".utf8))
            }
        }
        let channel = try server.channel()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...50 {
                group.addTask {
                    let call = try await channel.start(
                        Methods.client, metadata: Metadata(), options: CallOptions())
                    for _ in 0..<number {
                        try await call.send([UInt8](repeating: 0, count: 10_000))
                    }
                    call.finish()
                    #expect(try await call.receiveOnly() == Array("\(number * 10_000)".utf8))
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("status text with any Unicode, details, metadata in headers and trailers")
    func statusAndMetadata() async throws {
        let special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n 100%"
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                let context = call.context
                context.responseMetadata = Metadata([
                    "x-echo": context.metadata.first("x-in") ?? ""
                ])
                context.trailingMetadata.add(
                    binary: context.metadata.firstBinary("x-in-bin") ?? [], for: "x-tail-bin")
                throw RPCError(
                    .aborted, special, details: [.init(typeURL: "t/x", value: [0, 1, 255])])
            }
        }
        var metadata = Metadata(["x-in": "one"])
        metadata.add(binary: [0xab, 0xab, 0xab], for: "x-in-bin")
        let channel = try server.channel()
        let error = await failure {
            _ = try await channel.unary(Methods.unary, [], metadata: metadata)
        }
        #expect(error?.code == .aborted)
        #expect(error?.message == special)
        #expect(error?.details == [.init(typeURL: "t/x", value: [0, 1, 255])])
        #expect(error?.metadata.first("x-echo") == "one")
        #expect(error?.metadata.firstBinary("x-tail-bin") == [0xab, 0xab, 0xab])
    }

    @Test("metadata that was forwarded sends no header of the transport's a second time")
    func reserved() async throws {
        let server = try await RawServer { $0.answer([1]) }
        let channel = try HTTP2Channel(
            target: "\(server.address)", loop: EventLoop(name: "client"))
        let metadata = Metadata([
            "user-agent": "curl", "te": "gzip", "connection": "close", "host": "a",
            "content-type": "text/plain", "content-length": "7", "transfer-encoding": "chunked",
            "grpc-timeout": "1n", "x-kept": "1",
        ])
        #expect(try await channel.unary(Methods.unary, [1], metadata: metadata) == [1])
        let fields = try #require(try await server.received.first?.stream.fields)
        #expect(fields["user-agent"] == ChannelConfiguration().userAgent)
        #expect(fields["te"] == "trailers")
        #expect(fields["content-type"] == "application/grpc")
        #expect(fields["x-kept"] == "1")
        for name in ["connection", "host", "content-length", "transfer-encoding", "grpc-timeout"] {
            #expect(fields[name] == nil)
        }
    }

    @Test("limits: a message too large either way is RESOURCE_EXHAUSTED, the connection lives on")
    func tooLarge() async throws {
        let configuration = ServerConfiguration(maxMessageBytes: 1000)
        let server = try await TestServer(configuration) { router in
            router.handle(Methods.unary) { call in
                let message = try await call.receiveOnly()
                try call.sendOnly([UInt8](repeating: 0, count: message.count * 10))
            }
        }
        let channel = try server.channel()
        let limits = CallOptions(maxResponseBytes: 5000)
        for (size, code) in [(1001, RPCError.Code.resourceExhausted), (501, .resourceExhausted)] {
            let error = await failure {
                _ = try await channel.unary(
                    Methods.unary, [UInt8](repeating: 0, count: size), options: limits)
            }
            #expect(error?.code == code)
        }
        let largest = [UInt8](repeating: 0, count: 500)
        #expect(
            try await channel.unary(Methods.unary, largest, options: limits).count == 5000)
    }

    @Test("unknown methods are UNIMPLEMENTED")
    func unknownMethod() async throws {
        let server = try await TestServer { BenchMethods().register(in: $0) }
        let channel = try server.channel()
        let error = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        #expect(error?.code == .unimplemented)
        #expect(error?.message.contains("/test.T/Unary") == true)
    }

    @Test("a deadline reaches the server, ends the call at both ends and cancels the handler")
    func deadline() async throws {
        try await growingDeadline { timeout in
            let hasBegun = Mutex(false)
            let ended = Signal<Bool>()
            let server = try await TestServer { router in
                router.handle(Methods.unary) { call in
                    hasBegun.withLock { $0 = true }
                    let remaining = call.context.remaining ?? .seconds(99)
                    #expect(remaining <= timeout)
                    try? await call.loop.sleep(for: .seconds(60))
                    await ended.set(call.context.isCancelled)
                }
            }
            let channel = try server.channel()
            let error = await failure {
                _ = try await channel.unary(Methods.unary, [1], options: .timeout(timeout))
            }
            #expect(error?.code == .deadlineExceeded)
            guard hasBegun.withLock({ $0 }) else { return false }
            #expect(try await ended.wait())
            return true
        }
    }

    @Test("cancelling the client's task cancels the handler")
    func cancel() async throws {
        let started = Signal<Bool>()
        let ended = Signal<Bool>()
        let server = try await TestServer { router in
            router.handle(Methods.unary) { call in
                await started.set(true)
                try? await call.loop.sleep(for: .seconds(60))
                await ended.set(call.context.isCancelled)
            }
        }
        let channel = try server.channel()
        let task = Task { await failure { _ = try await channel.unary(Methods.unary, [1]) } }
        _ = try await started.wait()
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        #expect(try await ended.wait())
    }

    @Test("dropping a response stream cancels the handler that writes it")
    func droppedStream() async throws {
        let ended = Signal<RPCError.Code?>()
        let server = try await TestServer { router in
            router.handle(Bench.BenchMethods.stream) { call in
                do {
                    while true { try await call.send([UInt8](repeating: 0, count: 1000)) }
                } catch {
                    await ended.set((error as? RPCError)?.code)
                    throw error
                }
            }
        }
        let client = Bench.BenchClient(try server.channel())
        do {
            let responses = try await client.stream(Bench.Msg())
            _ = try await responses.call.receive()
        }
        #expect(try await ended.wait() == .cancelled)
    }

    @Test("metrics count calls by status")
    func metrics() async throws {
        let metrics = Metrics()
        let server = try await TestServer(metrics: metrics) { BenchMethods().register(in: $0) }
        let channel = try server.channel()
        let client = Bench.BenchClient(channel)
        _ = try await client.echo(Bench.Msg())
        _ = await failure { _ = try await channel.unary(Methods.unary, [1]) }
        let text = metrics.render()
        #expect(text.contains("grpc_server_handled_total{grpc_code=\"OK\"} 1"))
        #expect(text.contains("grpc_server_handled_total{grpc_code=\"UNIMPLEMENTED\"} 1"))
    }
}
