public import Protobuf

/// Requests and responses in any order. Dropping it and its `responses` cancels the call.
public struct BidirectionalCall<Request: Message, Response: Message>: OwnedCall {
    /// What the server sends. One reader.
    public let responses: ResponseStream<Response>

    @inlinable
    public init(_ call: ClientCall) {
        responses = ResponseStream(call)
    }

    public var call: ClientCall { responses.call }

    /// Sends one request; suspends while the server does not read.
    /// - Parameter compress: as `ClientCall.send` takes it; nil: by the channel's policy.
    @inlinable @inline(__always)
    public func send(_ message: Request, compress: Bool? = nil) async throws {
        try await responses.owner.call.send(message, compress: compress)
    }

    /// Half-closes: no more requests follow. The responses may go on.
    public func finish() {
        responses.call.finish()
    }
}
