public import Protobuf

/// What generated services call.
extension ServerCall {
    /// The next request; nil when the client has half-closed.
    /// - Throws: what `receive` and `decode` throw.
    @inlinable
    public func receive<M: Message>(as type: M.Type) async throws -> M? {
        try await next(as: type)
    }

    /// `receive`, inlined: a loop over messages that are there leaves neither its function nor, for
    /// the runtime's eyes, its executor, and one that waits makes no frame for it.
    @inlinable @inline(__always)
    func next<M: Message>(as type: M.Type) async throws -> M? {
        while true {
            switch try look() {
            case .message(let bytes):
                defer { didLook() }
                return try decode(inPlace: bytes)
            case .end: return nil
            case .nothing: try await wait()
            case .elsewhere:
                guard let bytes = try await receive() else { return nil }
                return try decode(bytes)
            }
        }
    }

    /// The request of a method whose client sends exactly one message.
    /// - Throws: what the untyped `receiveOnly` and `decode` throw.
    @inlinable
    public func receiveOnly<M: Message>(as type: M.Type) async throws -> M {
        if let bytes = try lookAtOnly() {
            defer { didLook() }
            return try decode(inPlace: bytes)
        }
        return try decode(await receiveOnly())
    }

    @inlinable
    func decode<M: Message>(inPlace bytes: UnsafeRawBufferPointer) throws -> M {
        do throws(ProtobufError) {
            return try M(decoding: bytes)
        } catch {
            throw RPCError(decoding: error)
        }
    }

    /// Sends a response; suspends while the client does not read.
    @inlinable @inline(__always)
    public func send(_ message: some Message, compress: Bool? = nil) async throws {
        if try sendsInPlace(compress) { return message.withEncoded { send(inPlace: $0) } }
        try await sendSlowly(message, compress)
    }

    @inlinable
    func sendSlowly(_ message: some Message, _ compress: Bool?) async throws {
        try await send(encode(message), compress: compress)
    }

    /// Sends without suspending: for the one answer of a method that does not stream.
    /// On the loop only.
    @inlinable
    public func sendOnly(_ message: some Message) throws {
        if try sendsInPlace(nil) { return message.withEncoded { send(inPlace: $0) } }
        try sendOnly(encode(message))
    }

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
