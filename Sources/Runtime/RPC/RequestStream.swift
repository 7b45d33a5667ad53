public import Protobuf

/// The messages of a client that streams; ends when the client half-closes. One reader.
public struct RequestStream<M: Message>: AsyncSequence, Sendable {
    public typealias Element = M

    @usableFromInline let call: ServerCall

    @inlinable
    public init(_ call: ServerCall) {
        self.call = call
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let call: ServerCall

        @inlinable
        init(_ call: ServerCall) {
            self.call = call
        }

        @inlinable
        public mutating func next() async throws -> M? {
            try await next(isolation: nil)
        }

        @inlinable
        public mutating func next(
            isolation: isolated (any Actor)?
        ) async throws(any Error) -> M? {
            guard let bytes = try await call.receive() else { return nil }
            return try call.decode(bytes)
        }
    }

    @inlinable
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(call)
    }
}
