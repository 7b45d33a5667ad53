/// What carries one client call. Loop only.
package protocol ClientCallTransport: AnyObject {
    /// Sends one message; `compress` is the sender's wish, nil leaves it to the policy. False:
    /// wait for `ClientCall.didDrain()`.
    func send(_ message: [UInt8], compress: Bool?, of call: ClientCall) -> Bool
    /// The same by the policy, for bytes that are valid during the call.
    func send(_ message: UnsafeRawBufferPointer, of call: ClientCall) -> Bool
    /// No more messages follow.
    func halfClose(_ call: ClientCall)
    /// The caller took so many messages, of that many bytes without their prefixes.
    func clientCall(_ call: ClientCall, didConsume bytes: Int, messages: Int)
    /// The caller gave up: reset the stream and forget the call.
    func cancel(_ call: ClientCall)
    /// What the call is waiting for, for the error of a deadline that passed.
    var situation: String? { get }
}

extension ClientCallTransport {
    package var situation: String? { nil }

    package func send(_ message: UnsafeRawBufferPointer, of call: ClientCall) -> Bool {
        send([UInt8](message), compress: nil, of: call)
    }
}
