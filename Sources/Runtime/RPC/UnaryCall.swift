public import Protobuf

/// One request that has gone, one response to come; for who wants headers or trailers as well.
public struct UnaryCall<Response: Message>: OwnedCall {
    @usableFromInline let owner: ClientCallOwner

    @inlinable
    public init(_ call: ClientCall) {
        owner = ClientCallOwner(call)
    }

    /// Starts the call and sends its request.
    /// - Throws: `RPCError` when the call cannot begin.
    @inlinable
    public init(
        _ channel: any Channel, _ method: MethodDescriptor, _ request: some Message,
        metadata: Metadata = Metadata(), options: CallOptions = CallOptions()
    ) async throws {
        self.init(
            try await channel.start(
                method, sending: request.encoded(), metadata: metadata, options: options))
    }

    public var call: ClientCall { owner.call }

    /// Waits for the response; trailers are there afterwards. Ask once.
    /// - Throws: the call's status.
    @inlinable
    public var response: Response {
        get async throws {
            let bytes = try await owner.call.receiveOnly()
            do throws(ProtobufError) {
                return try Response(decoding: bytes)
            } catch {
                throw RPCError(decoding: error)
            }
        }
    }
}
