/// Where the answer to a `WebRequest` goes, and who pays for its body: an HTTP/2 stream or an
/// HTTP/1.1 connection. Loop only.
protocol WebExchange: AnyObject {
    func respond(_ status: Int, _ fields: WebFields)
    /// A piece of the body. False: wait for `WebCall.didDrain`.
    func write(_ bytes: [UInt8]) -> Bool
    /// The body is complete.
    func finish()
    /// The answer cannot be completed: the client must not take it for whole.
    func abort()
    /// Bytes of the answer that the client has not taken yet.
    var waitingBytes: Int { get }
    /// The handler took that many bytes of the request's body.
    func consume(_ count: Int)
    func handlerWillStart()
    /// Nothing is asked of the exchange any more.
    func handlerDidEnd()
}
