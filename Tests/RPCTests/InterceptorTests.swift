import Loop
import RPC
import TestKit
import Testing

@Suite("RPC interceptors", .timeLimit(.minutes(5)))
struct InterceptorTests {
    private enum ActorKey: ServerContextKey {
        typealias Value = String
    }

    private struct Authenticate: ServerInterceptor {
        func intercept(
            _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
        ) async throws {
            guard let token = call.context.metadata.first("authorization") else {
                throw RPCError(.unauthenticated, "no token")
            }
            call.context[ActorKey.self] = token
            try await next(call)
        }
    }

    private struct Rewrite: ServerInterceptor {
        func intercept(
            _ call: ServerCall, _ next: @Sendable (ServerCall) async throws -> Void
        ) async throws {
            do {
                try await next(call)
            } catch is CancellationError {
                throw RPCError(.unavailable, "rewritten")
            }
        }
    }

    private struct Token: ClientInterceptor {
        let ended: Signal<String>

        func intercept(_ request: inout ClientRequest) async throws {
            request.metadata.set("me", for: "authorization")
            let method = request.method.name
            request.onEnd { outcome in
                let text = "\(method) \(outcome.code.name)"
                Task { await ended.set(text) }
            }
        }
    }

    @Test("server: the outermost runs first, may refuse, leave values, replace errors")
    func server() async throws {
        let bed = Bed(interceptors: [Rewrite(), Authenticate()]) { call in
            let actor = call.context[ActorKey.self] ?? "?"
            if actor == "bad" { throw CancellationError() }
            try call.sendOnly(Array(actor.utf8))
        }
        #expect(await failure { _ = try await bed.unary() }?.code == .unauthenticated)
        #expect(
            try await bed.unary(metadata: Metadata(["authorization": "ann"])) == Array("ann".utf8))
        let bad = Metadata(["authorization": "bad"])
        #expect(await failure { _ = try await bed.unary(metadata: bad) }?.message == "rewritten")
    }

    @Test("client: adds metadata, sees the outcome")
    func client() async throws {
        let bed = Bed(interceptors: [Authenticate()]) { call in
            let message = try await call.receiveOnly()
            if message == [9] { throw RPCError(.aborted, "no") }
            try call.sendOnly(message)
        }
        for (message, outcome) in [([UInt8(1)], "Unary OK"), ([9], "Unary ABORTED")] {
            let ended = Signal<String>()
            let channel = InterceptedChannel(bed.channel, interceptors: [Token(ended: ended)])
            _ = try? await channel.unary(Methods.unary, message)
            #expect(try await ended.wait() == outcome)
        }
    }
}
