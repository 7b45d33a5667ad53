/// What happens on a socket. Every method is called on the socket's loop.
public protocol StreamSocketHandler: AnyObject {
    /// Bytes arrived; the buffer is valid only during the call.
    func socketDidRead(_ bytes: UnsafeRawBufferPointer)
    /// The peer sent FIN: nothing more will be read, writing is still possible.
    func socketDidEnd()
    /// Everything that was queued has been taken by the kernel.
    func socketDidDrain()
    /// The socket is gone; the last call, made exactly once. The error is a `LoopError` of the
    /// system, or of the layer that closed it; nil when it was closed on purpose.
    func socketDidClose(_ error: (any Error)?)
}
