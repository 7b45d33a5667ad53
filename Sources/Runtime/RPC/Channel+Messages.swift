public import Protobuf

/// What generated clients call.
extension Channel {
    /// One typed message, one typed answer. Cancelling the task cancels the call.
    @inlinable
    public func unary<Response: Message>(
        _ method: MethodDescriptor, _ request: some Message, metadata: Metadata = Metadata(),
        options: CallOptions = CallOptions()
    ) async throws -> Response {
        let bytes = try await unary(
            method, request.encoded(), metadata: metadata, options: options)
        do throws(ProtobufError) {
            return try Response(decoding: bytes)
        } catch {
            throw RPCError(decoding: error)
        }
    }

    /// Starts a call whose client sends one message, and sends it.
    public func start(
        _ method: MethodDescriptor, sending message: [UInt8], metadata: Metadata,
        options: CallOptions
    ) async throws -> ClientCall {
        let call = try await start(method, metadata: metadata, options: options)
        do {
            try await call.send(message)
        } catch {
            // When the server answers early, its status says more than the failed write.
        }
        call.finish()
        return call
    }
}
