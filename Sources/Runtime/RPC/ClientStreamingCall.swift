public import Protobuf

/// Many requests, one response. Dropping it before `finish` has returned cancels the call.
public struct ClientStreamingCall<Request: Message, Response: Message>: OwnedCall {
    @usableFromInline let owner: ClientCallOwner

    @inlinable
    public init(_ call: ClientCall) {
        owner = ClientCallOwner(call)
    }

    public var call: ClientCall { owner.call }

    /// Sends one request; suspends while the server does not read.
    /// - Parameter compress: as `ClientCall.send` takes it; nil: by the channel's policy.
    @inlinable @inline(__always)
    public func send(_ message: Request, compress: Bool? = nil) async throws {
        try await owner.call.send(message, compress: compress)
    }

    /// Half-closes and waits for the response.
    @inlinable
    public func finish() async throws -> Response {
        owner.call.finish()
        let bytes = try await owner.call.receiveOnly()
        do {
            return try Response(decoding: bytes)
        } catch {
            throw RPCError(decoding: error)
        }
    }
}
