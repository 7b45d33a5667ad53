public import Protobuf

/// The responses of a streaming call. Dropping the last copy before the end cancels the call,
/// and so does cancelling the task that iterates.
///
/// Where every microsecond counts, `while let message = try await iterator.next()` is a fifth
/// cheaper per message than `for await`, which asks the runtime for the executor twice.
public struct ResponseStream<M: Message>: AsyncSequence, OwnedCall {
    public typealias Element = M

    @usableFromInline let owner: ClientCallOwner

    @inlinable
    public init(_ call: ClientCall) {
        owner = ClientCallOwner(call)
    }

    public var call: ClientCall { owner.call }

    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let owner: ClientCallOwner

        @inlinable
        init(_ owner: ClientCallOwner) {
            self.owner = owner
        }

        @inlinable @inline(__always)
        public mutating func next() async throws -> M? {
            try await owner.call.next(as: M.self)
        }

        @inlinable @inline(__always)
        public mutating func next(
            isolation: isolated (any Actor)?
        ) async throws(any Error) -> M? {
            try await owner.call.next(as: M.self)
        }
    }

    @inlinable
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(owner)
    }
}

/// Cancels the call when nobody can read it any more; after its end that does nothing.
@usableFromInline
final class ClientCallOwner: Sendable {
    @usableFromInline let call: ClientCall

    @usableFromInline
    init(_ call: ClientCall) {
        self.call = call
    }

    deinit {
        call.cancel()
    }
}
