import Loop
import Protobuf
import RPC
import Synchronization
import TestKit
import Testing

@Suite("RPC interceptors that see messages", .timeLimit(.minutes(5)))
struct MessageHookTests {
    /// What happened, in order, on any thread.
    private final class Record: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    private struct Watch: ServerInterceptor, ClientInterceptor {
        let name: String
        let record: Record

        func intercept(
            _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
        ) async throws {
            var seen = 0
            call.onRequest { message in
                seen += 1
                record.add("\(name) > \(message)")
                message.append(0)
            }
            call.onResponse { message in
                record.add("\(name) < \(message)")
                message.append(9)
            }
            call.onEnd { record.add("\(name) \($0.code) after \(seen), \($0.sent.bytes) bytes") }
            try await next(call)
        }

        func intercept(_ request: inout ClientRequest) async throws {
            request.onRequest { message in
                record.add("\(name) > \(message)")
                message.append(1)
            }
            request.onResponse { message in record.add("\(name) < \(message)") }
            request.onHeaders { record.add("\(name) \($0.first("x-head") ?? "no") header") }
            request.onEnd { record.add("\(name) \($0.code) \($0.trailers.first("x-tail") ?? "")") }
        }
    }

    @Test("server: requests pass outside in, responses inside out, the end comes last")
    func server() async throws {
        let record = Record()
        let bed = Bed(
            Methods.bidi,
            interceptors: [
                Watch(name: "outer", record: record), Watch(name: "inner", record: record),
            ]
        ) { call in
            while let message = try await call.receive() { try await call.send(message) }
            throw RPCError(.aborted, "enough")
        }
        let call = try await bed.call(Methods.bidi)
        try await call.send([5])
        #expect(try await call.receive() == [5, 0, 0, 9, 9])
        call.finish()
        #expect(await failure { _ = try await call.receive() }?.code == .aborted)
        let expected = [
            "outer > [5]", "inner > [5, 0]", "inner < [5, 0, 0]", "outer < [5, 0, 0, 9]",
            "inner ABORTED after 1, 5 bytes", "outer ABORTED after 1, 5 bytes",
        ]
        // The client may hear of the end before the server's hooks do.
        _ = try await eventually { record.all.count >= expected.count }
        #expect(record.all == expected)
    }

    @Test("client: the same, for unary and for streams, with headers and trailers")
    func client() async throws {
        let record = Record()
        let bed = Bed { call in
            call.context.responseMetadata = Metadata(["x-head": "a"])
            call.context.trailingMetadata = Metadata(["x-tail": "z"])
            try call.sendOnly(try await call.receiveOnly())
        }
        let channel = InterceptedChannel(
            bed.channel,
            interceptors: [
                Watch(name: "outer", record: record), Watch(name: "inner", record: record),
            ])
        let expected = [
            "outer > [5]", "inner > [5, 1]", "inner a header", "outer a header",
            "inner < [5, 1, 1]", "outer < [5, 1, 1]", "inner OK z", "outer OK z",
        ]
        #expect(try await channel.unary(Methods.unary, [5]) == [5, 1, 1])
        // The end is told on the loop, when the answer has been handed out already.
        _ = try await eventually { record.all.count >= expected.count }
        #expect(record.all == expected)
        let call = try await channel.start(
            Methods.unary, sending: [5], metadata: Metadata(), options: CallOptions())
        #expect(try await call.receiveOnly() == [5, 1, 1])
        _ = try await eventually { record.all.count >= 2 * expected.count }
        #expect(Array(record.all.dropFirst(8)).sorted() == expected.sorted())
    }

    private struct Refuse: ServerInterceptor, ClientInterceptor {
        func intercept(
            _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
        ) async throws {
            call.onRequest { if $0 == [13] { throw RPCError(.outOfRange, "13") } }
            try await next(call)
        }

        func intercept(_ request: inout ClientRequest) async throws {
            request.onRequest { if $0 == [7] { throw RPCError(.outOfRange, "7") } }
            request.onResponse { if $0 == [8] { throw RPCError(.dataLoss, "8") } }
        }
    }

    @Test("a hook that throws refuses the message, on either side, and ends the call")
    func refusal() async throws {
        let cancelled = Signal<Bool>()
        let bed = Bed(Methods.bidi, interceptors: [Refuse()]) { call in
            call.context.onCancel { Task { await cancelled.set(true) } }
            while let message = try await call.receive() { try await call.send(message) }
        }
        let channel = InterceptedChannel(bed.channel, interceptors: [Refuse()])
        for (byte, code) in [(UInt8(13), RPCError.Code.outOfRange), (7, .outOfRange)] {
            let error = await failure {
                let call = try await channel.start(
                    Methods.bidi, metadata: Metadata(), options: CallOptions())
                try await call.send([byte])
                _ = try await call.receive()
            }
            #expect(error?.code == code)
        }
        let call = try await channel.start(
            Methods.bidi, metadata: Metadata(), options: CallOptions())
        try await call.send([8])
        #expect(await failure { _ = try await call.receive() }?.code == .dataLoss)
        #expect(try await cancelled.wait())
    }

    @Test("the end is seen once, also of a call that was refused before it began")
    func refusedBefore() async throws {
        struct Closed: ClientInterceptor {
            func intercept(_ request: inout ClientRequest) async throws {
                throw RPCError(.permissionDenied, "closed")
            }
        }
        let record = Record()
        let bed = Bed { _ in Issue.record("the handler ran") }
        let channel = InterceptedChannel(
            bed.channel, interceptors: [Watch(name: "it", record: record), Closed()])
        #expect(
            await failure { _ = try await channel.unary(Methods.unary, [1]) }?.code
                == .permissionDenied)
        try await bed.loop.submit {}
        #expect(record.all == ["it PERMISSION_DENIED "])
    }

    @Test("the end of a call whose deadline passes while the handler goes on")
    func deadline() async throws {
        struct End: ServerInterceptor {
            let ended: Signal<RPCError.Code>
            func intercept(
                _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
            ) async throws {
                call.onEnd { outcome in Task { await ended.set(outcome.code) } }
                try await next(call)
            }
        }
        try await growingDeadline { timeout in
            let ended = Signal<RPCError.Code>()
            let goOn = Signal<Bool>()
            let hasBegun = Mutex(false)
            let bed = Bed(interceptors: [End(ended: ended)]) { call in
                hasBegun.withLock { $0 = true }
                #expect(try await goOn.wait())
                try call.sendOnly([1])
            }
            let error = await failure { _ = try await bed.unary(options: .timeout(timeout)) }
            #expect(error?.code == .deadlineExceeded)
            guard hasBegun.withLock({ $0 }) else { return false }
            let code = try await ended.wait()
            #expect(code == .deadlineExceeded)
            await goOn.set(true)
            return true
        }
    }

    @Test("filters: by service, method, package and kind; what no interceptor wants has none")
    func filters() async throws {
        let record = Record()
        let watch = Watch(name: "w", record: record)
        let router = Router(interceptors: [
            watch.on(.method(Methods.unary), .kind(.bidirectional)), watch.on(.package("no.such")),
        ])
        for method in [Methods.unary, Methods.server] {
            router.handle(method) { call in try call.sendOnly(try await call.receiveOnly()) }
        }
        let channel = InProcessChannel(router: router, loop: EventLoop(name: "test"))
        #expect(try await channel.unary(Methods.unary, [1]) == [1, 0, 9])
        #expect(try await channel.unary(Methods.server, [1]) == [1])
        #expect(MethodFilter.service("test.T").matches(Methods.unary))
        #expect(!MethodFilter.service("test").matches(Methods.unary))
        #expect(MethodFilter.package("test").matches(Methods.unary))
        #expect(!MethodFilter.package("te").matches(Methods.unary))
        let client = InterceptedChannel(
            channel, interceptors: [watch.on(.service("test.Other")), watch.on(.kind(.unary))])
        #expect(try await client.unary(Methods.unary, [1]) == [1, 1, 0, 9])
        #expect(try await client.unary(Methods.server, [1]) == [1])
    }

    @Test("decoded messages, in both directions, of generated services")
    func decoded() async throws {
        struct Names: ServerInterceptor {
            let record: Record
            func intercept(
                _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
            ) async throws {
                call.onDecodedRequest { message in
                    let request = message as? HealthV1.HealthCheckRequest
                    record.add("asks \(request?.service ?? "?")")
                }
                call.onDecodedResponse { record.add("\(type(of: $0))") }
                try await next(call)
            }
        }
        let record = Record()
        let router = Router(interceptors: [Names(record: record)])
        router.register(HealthService())
        let client = HealthV1.HealthClient(
            InProcessChannel(router: router, loop: EventLoop(name: "test")))
        _ = try await client.check(HealthV1.HealthCheckRequest())
        let watched = try await client.watch(HealthV1.HealthCheckRequest()) { responses in
            var iterator = responses.makeAsyncIterator()
            return try await iterator.next()?.status
        }
        #expect(watched == .serving)
        #expect(
            record.all == ["asks ", "HealthCheckResponse", "asks ", "HealthCheckResponse"])
    }
}
