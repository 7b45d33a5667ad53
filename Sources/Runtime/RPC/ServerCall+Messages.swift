public import Protobuf

/// What generated services call.
extension ServerCall {
    /// The message in the bytes, shown to interceptors that asked for it.
    /// - Throws: INTERNAL when they do not decode; what an interceptor throws.
    @inlinable
    public func decode<M: Message>(_ bytes: [UInt8], as type: M.Type = M.self) throws -> M {
        let message: M
        do throws(ProtobufError) {
            message = try M(decoding: bytes)
        } catch {
            throw RPCError(decoding: error)
        }
        if let hooks { try hooks.decoded(request: message) }
        return message
    }

    /// The bytes of a response, after interceptors have seen it.
    @inlinable
    public func encode(_ message: some Message) throws -> [UInt8] {
        if let hooks { try hooks.decoded(response: message) }
        return message.encoded()
    }
}
