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

        @inlinable @inline(__always)
        public mutating func next() async throws -> M? {
            try await call.next(as: M.self)
        }

        @inlinable @inline(__always)
        public mutating func next(
            isolation: isolated (any Actor)?
        ) async throws(any Error) -> M? {
            try await call.next(as: M.self)
        }
    }

    @inlinable
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(call)
    }
}
