public import Protobuf

/// Where a streaming handler writes its responses.
public struct ResponseWriter<M: Message>: Sendable {
    @usableFromInline let call: ServerCall

    @inlinable
    public init(_ call: ServerCall) {
        self.call = call
    }

    /// Sends one message; suspends while the client does not read (bounded memory).
    /// - Parameter compress: as `ServerCall.send` takes it; nil: by the server's policy.
    /// - Throws: the call's failure; the handler should end then.
    @inlinable @inline(__always)
    public func write(_ message: M, compress: Bool? = nil) async throws {
        try await call.send(message, compress: compress)
    }

    /// Sends the response headers before the first message is ready.
    public func sendHeaders() async throws {
        try await call.sendHeaders()
    }
}
