import InteropSchema
import Protobuf
public import RPC

/// Runs the official cases against a server, as interop-test-descriptions.md prescribes them.
public struct InteropClient: Sendable {
    let channel: any Channel
    let client: GrpcTesting.TestClient
    /// Longer than any case takes; a hanging server is a failure.
    let patience: Duration

    public init(_ channel: any Channel, patience: Duration = .seconds(20)) {
        self.channel = channel
        self.patience = patience
        client = GrpcTesting.TestClient(channel)
    }

    /// - Throws: `InteropFailure`, or the status of a call that should not have failed.
    public func run(_ name: InteropCase) async throws {
        switch name {
        case .emptyUnary: try await emptyUnary()
        case .largeUnary: try await largeUnary()
        case .clientStreaming: try await clientStreaming()
        case .serverStreaming: try await serverStreaming()
        case .pingPong: try await pingPong()
        case .emptyStream: try await emptyStream()
        case .cancelAfterBegin: try await cancelAfterBegin()
        case .cancelAfterFirstResponse: try await cancelAfterFirstResponse()
        case .timeoutOnSleepingServer: try await timeoutOnSleepingServer()
        case .customMetadata: try await customMetadata()
        case .statusCodeAndMessage: try await status(InteropValues.statusMessage, duplex: true)
        case .specialStatusMessage:
            try await status(InteropValues.specialStatusMessage, duplex: false)
        case .unimplementedMethod: try await unimplementedMethod()
        case .unimplementedService: try await unimplementedService()
        case .clientCompressedUnary: try await clientCompressedUnary()
        case .clientCompressedStreaming: try await clientCompressedStreaming()
        case .serverCompressedUnary: try await serverCompressedUnary()
        case .serverCompressedStreaming: try await serverCompressedStreaming()
        }
    }

    var options: CallOptions { .timeout(patience) }

    // MARK: What a case asserts

    func expect(_ condition: Bool, _ what: @autoclosure () -> String) throws {
        if !condition { throw InteropFailure(what()) }
    }

    func expect(_ payload: GrpcTesting.Payload?, count: Int32) throws {
        let body = payload?.body ?? []
        try expect(body.count == Int(count), "\(body.count) bytes instead of \(count)")
        try expect(body.allSatisfy { $0 == 0 }, "a payload that is not zeros")
    }

    /// The call must fail with this status.
    @discardableResult
    func expect(
        _ code: RPCError.Code, _ what: String, _ body: () async throws -> Void
    ) async throws -> RPCError {
        do {
            try await body()
        } catch let error as RPCError {
            try expect(error.code == code, "\(what): \(error) instead of \(code)")
            return error
        }
        throw InteropFailure("\(what): OK instead of \(code)")
    }
}
