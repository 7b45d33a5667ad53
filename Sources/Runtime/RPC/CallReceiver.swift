/// Who waits for a call's next message.
enum CallReceiver {
    /// On the loop: looks again when it is woken.
    case here(UnsafeContinuation<Void, Never>)
    case elsewhere(UnsafeContinuation<[UInt8]?, any Error>)
}
