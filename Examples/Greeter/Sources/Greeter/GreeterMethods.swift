import GreeterSchema
import Protobuf
import RPC

/// The service: one function for each RPC of the .proto file.
struct GreeterMethods: GreeterV1.GreeterService {
    func hello(
        _ request: GreeterV1.HelloRequest, _ context: ServerContext
    ) async throws -> GreeterV1.HelloReply {
        guard !request.name.isEmpty else {
            throw RPCError(.invalidArgument, "whom?")
                .with(GoogleRpc.BadRequest(["name": "is required"]))
        }
        return reply("Hello, \(request.name)!")
    }

    func countDown(
        _ request: GreeterV1.CountDownRequest, _ context: ServerContext,
        _ responses: ResponseWriter<GreeterV1.HelloReply>
    ) async throws {
        for number in stride(from: request.from, to: 0, by: -1) {
            try await responses.write(reply("\(number)…"))
        }
        try await responses.write(reply("Hello, \(request.name)!"))
    }

    func gather(
        _ requests: RequestStream<GreeterV1.HelloRequest>, _ context: ServerContext
    ) async throws -> GreeterV1.HelloReply {
        var names: [String] = []
        for try await request in requests { names.append(request.name) }
        return reply("Hello, \(names.joined(separator: " and "))!")
    }

    func chat(
        _ requests: RequestStream<GreeterV1.HelloRequest>, _ context: ServerContext,
        _ responses: ResponseWriter<GreeterV1.HelloReply>
    ) async throws {
        for try await request in requests {
            try await responses.write(reply("Hello, \(request.name)!"))
        }
    }

    private func reply(_ text: String) -> GreeterV1.HelloReply {
        .with { $0.text = text }
    }
}
