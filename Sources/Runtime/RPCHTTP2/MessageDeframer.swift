import RPC

/// Splits a body into gRPC's length-prefixed messages, for the dialects that look at each of them
/// before the call gets it.
final class MessageDeframer {
    typealias Problem = MessageQueue.Problem

    private var queue = MessageQueue()

    /// Bytes of an incomplete message that are kept.
    var bufferedBytes: Int { queue.partialBytes }
    var isBetweenMessages: Bool { queue.partialBytes == 0 }

    /// Takes bytes; calls `deliver` for each whole message, with its compressed flag.
    func receive(
        _ bytes: UnsafeRawBufferPointer, limit: Int, deliver: ([UInt8], Bool) -> Void
    ) -> Problem? {
        let problem = queue.receive(bytes, limit: limit)
        while let message = queue.popFirst() { deliver(message, queue.lastWasCompressed) }
        return problem
    }
}
