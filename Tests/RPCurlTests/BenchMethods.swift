import BenchSchema
import Protobuf
import RPC
import Synchronization

/// bench.Bench; the request steers it: `n` of Echo is the code of the status to answer with.
struct BenchMethods: Bench.BenchService {
    /// Calls of Echo that came, and of PingPong of which a message came.
    let echoes = Counted()
    let chats = Counted()
    /// Calls of PingPong that ended because the client went away.
    let cancelled = Counted()

    typealias Stream = @Sendable (Bench.Msg, ResponseWriter<Bench.Msg>) async throws -> Void
    /// Instead of the numbered messages of Stream.
    var onStream: Stream?

    final class Counted: Sendable {
        let count = Atomic<Int>(0)

        var value: Int { count.load(ordering: .relaxed) }
    }

    func echo(_ request: Bench.Msg, _ context: ServerContext) async throws -> Bench.Msg {
        echoes.count.add(1, ordering: .relaxed)
        context.responseMetadata.add(context.metadata.first("x-in") ?? "none", for: "x-seen")
        context.trailingMetadata.add(binary: [0, 255], for: "x-trail-bin")
        guard request.n > 0 else { return request }
        var violation = GoogleRpc.BadRequest.FieldViolation()
        violation.field = "n"
        var detail = GoogleRpc.BadRequest()
        detail.fieldViolations = [violation]
        throw RPCError(
            RPCError.Code(rawValue: request.n), "as asked",
            details: [
                .init(
                    typeURL: "type.googleapis.com/google.rpc.BadRequest", value: detail.encoded()),
                .init(typeURL: "type.googleapis.com/bench.Msg", value: request.encoded()),
                .init(typeURL: "type.googleapis.com/no.Such", value: [1]),
            ])
    }

    func book(_ request: Bench.Booking, _ context: ServerContext) async throws -> Bench.Booking {
        request
    }

    /// `n` messages, numbered; -1 is for ever.
    func stream(
        _ request: Bench.Msg, _ context: ServerContext, _ responses: ResponseWriter<Bench.Msg>
    ) async throws {
        if let onStream { return try await onStream(request, responses) }
        var message = Bench.Msg()
        while message.n != request.n {
            message.n += 1
            try await responses.write(message)
        }
    }

    func pingPong(
        _ requests: RequestStream<Bench.Msg>, _ context: ServerContext,
        _ responses: ResponseWriter<Bench.Msg>
    ) async throws {
        do {
            var isFirst = true
            for try await request in requests {
                if isFirst { chats.count.add(1, ordering: .relaxed) }
                isFirst = false
                // The call may end before the client has said everything.
                guard request.n >= 0 else { throw RPCError(.aborted, "enough") }
                try await responses.write(request)
            }
        } catch {
            if context.isCancelled { cancelled.count.add(1, ordering: .relaxed) }
            throw error
        }
    }
}
