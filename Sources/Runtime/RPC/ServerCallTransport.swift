/// What carries one server call: an HTTP/2 stream or the in-process link. Loop only.
package protocol ServerCallTransport: AnyObject {
    /// The handler took messages of that many bytes: the peer may send as many again.
    func serverCall(_ call: ServerCall, didConsume count: Int)
    /// Sends the response headers (`context.responseMetadata`) unless they have gone already.
    func sendHeaders(of call: ServerCall)
    /// Sends one message, after the headers; `compress` is the sender's wish, nil leaves it to
    /// the policy. False: wait for `ServerCall.didDrain()`.
    func send(_ message: [UInt8], compress: Bool?, of call: ServerCall) -> Bool
    /// The same by the policy, for bytes that are valid during the call.
    func send(_ message: UnsafeRawBufferPointer, of call: ServerCall) -> Bool
    /// Sends the status: nil is OK. Called once, perhaps before the handler has ended.
    func finish(_ call: ServerCall, error: RPCError?)
    /// The handler's task has ended; nothing is asked of the transport any more.
    func handlerDidEnd(_ call: ServerCall)
}

extension ServerCallTransport {
    package func send(_ message: UnsafeRawBufferPointer, of call: ServerCall) -> Bool {
        send([UInt8](message), compress: nil, of: call)
    }
}
