public import Protobuf

/// What generated clients use.
extension ClientCall {
    /// The next response; nil when the call ended with OK. A message that does not decode ends
    /// the call.
    /// - Throws: the call's status (`RPCError`); INTERNAL for a message that does not decode.
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
                return try decode(bytes)
            case .end: return nil
            case .nothing: await wait()
            case .elsewhere:
                guard let bytes = try await receive() else { return nil }
                return try bytes.withUnsafeBytes { try decode($0) }
            }
        }
    }

    @inlinable
    func decode<M: Message>(_ bytes: UnsafeRawBufferPointer) throws -> M {
        do throws(ProtobufError) {
            return try M(decoding: bytes)
        } catch {
            cancel()
            throw RPCError(decoding: error)
        }
    }

    /// Sends a message; suspends while the server does not read.
    /// - Throws: the status when the call has ended; CANCELLED after `finish`.
    @inlinable @inline(__always)
    public func send(_ message: some Message, compress: Bool? = nil) async throws {
        guard try sendsInPlace(compress) else { return try await sendSlowly(message, compress) }
        if message.withEncoded({ send(inPlace: $0) }) { return }
        try await drain()
    }

    @inlinable
    func sendSlowly(_ message: some Message, _ compress: Bool?) async throws {
        try await send(message.encoded(), compress: compress)
    }
}
