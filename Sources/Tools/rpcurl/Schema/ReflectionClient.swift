import Environment
import Protobuf
import RPC

/// grpc.reflection.v1, or v1alpha when the server does not have it. Both have the same messages,
/// so only the path differs. One stream serves all questions.
final class ReflectionClient {
    private static let versions = ["grpc.reflection.v1", "grpc.reflection.v1alpha"]

    private let channel: any Channel
    private let metadata: Metadata
    private let deadline: Deadline?
    /// Called when the server has answered anything at all.
    private let onAnswer: () -> Void
    private var version = 0
    private var call: ClientCall?

    init(
        _ channel: any Channel, metadata: Metadata, deadline: Deadline?,
        onAnswer: @escaping () -> Void = {}
    ) {
        self.channel = channel
        self.metadata = metadata
        self.deadline = deadline
        self.onAnswer = onAnswer
    }

    deinit {
        call?.cancel()
    }

    /// Full names of the services.
    func services() async throws -> [String] {
        guard case .listServicesResponse(let list)? = try await ask(.listServices("*")) else {
            throw unexpected("list_services")
        }
        return list.service.map(\.name)
    }

    /// The file that declares a symbol, perhaps with its imports; nil when there is none.
    func files(containing symbol: String) async throws -> [[UInt8]]? {
        try await files(.fileContainingSymbol(symbol))
    }

    func files(named name: String) async throws -> [[UInt8]]? {
        try await files(.fileByFilename(name))
    }

    private func files(
        _ question: ReflectionV1.ServerReflectionRequest.OneOfMessageRequest
    ) async throws -> [[UInt8]]? {
        switch try await ask(question) {
        case .fileDescriptorResponse(let response)?: response.fileDescriptorProto
        case .errorResponse(let error)? where error.errorCode == RPCError.Code.notFound.rawValue:
            nil
        case .errorResponse(let error)?:
            // Some servers answer UNKNOWN or INVALID_ARGUMENT for names that they do not have.
            if [2, 3].contains(error.errorCode) {
                nil
            } else {
                throw RPCError(
                    RPCError.Code(rawValue: error.errorCode), "reflection: \(error.errorMessage)")
            }
        default: throw unexpected("\(question)")
        }
    }

    private func unexpected(_ question: String) -> Failure {
        Failure(
            "the server's reflection answered \(question) with something else; give the schema "
                + "with -protoset")
    }

    private func ask(
        _ question: ReflectionV1.ServerReflectionRequest.OneOfMessageRequest
    ) async throws -> ReflectionV1.ServerReflectionResponse.OneOfMessageResponse? {
        var request = ReflectionV1.ServerReflectionRequest()
        request.messageRequest = question
        let bytes = request.encoded()
        while true {
            let isFresh = call == nil
            do {
                if let answer = try await exchange(bytes) {
                    return try ReflectionV1.ServerReflectionResponse(decoding: answer)
                        .messageResponse
                }
                // The server ends its stream after some answers: a new one goes on.
                guard !isFresh else { throw unexpected("the question by ending the stream") }
            } catch let error as RPCError where error.code == .unimplemented {
                onAnswer()
                guard version + 1 < ReflectionClient.versions.count else {
                    throw Failure(
                        "the server has no reflection (v1 and v1alpha are UNIMPLEMENTED): give "
                            + "the schema with -protoset FILE or -proto FILE")
                }
                version += 1
            } catch {
                call = nil
                throw error
            }
            call = nil
        }
    }

    /// Sends a question; nil when the stream has ended instead.
    private func exchange(_ question: [UInt8]) async throws -> [UInt8]? {
        let call = try await current()
        do {
            try await call.send(question)
        } catch {
            // The call has ended: `receive` tells how.
        }
        let answer = try await call.receive()
        onAnswer()
        return answer
    }

    private func current() async throws -> ClientCall {
        if let call { return call }
        let method = MethodDescriptor(
            service: "\(ReflectionClient.versions[version]).ServerReflection",
            name: "ServerReflectionInfo", kind: .bidirectional)
        let options = CallOptions(deadline: deadline, maxResponseBytes: 64 << 20)
        let call = try await channel.start(method, metadata: metadata, options: options)
        self.call = call
        return call
    }
}
